"""The words of the pages to sign in, and on accounts."""

from __future__ import annotations

from typing import Final

from scoring.documents import Text

OUTSIDE: Final[dict[str, Text]] = {
    "sign_in": Text(zh="登录", en="Sign in"),
    "name": Text(zh="账户", en="Account"),
    "password": Text(zh="口令", en="Password"),
    "show": Text(zh="显示", en="Show"),
    "with_provider": Text(zh="使用统一身份认证登录", en="Sign in with the identity provider"),
    "or_password": Text(zh="或使用本节点账户", en="Or with an account of this node"),
    "no_account": Text(
        zh="没有账户或忘记口令，请联系本节点管理员。",
        en="No account, or a forgotten password: ask this node's administrator.",
    ),
    "refused": Text(
        zh="登录失败。请检查账户和口令；仍不行请联系管理员。",
        en="That did not work. Check account and password; if it stays so, ask the administrator.",
    ),
    "refused_code": Text(
        zh="验证码不正确、已用过或已过期。请输入新的验证码。",
        en="That code is wrong, used or too old. Enter a new one.",
    ),
    "wait": Text(
        zh="尝试次数过多，请在{seconds}秒后重试。",
        en="Too many attempts. Try again in {seconds} seconds.",
    ),
    "wait_some": Text(
        zh="尝试次数过多，请几分钟后重试。", en="Too many attempts. Try again in a few minutes."
    ),
    "busy": Text(
        zh="登录请求过多，请稍后再试。", en="Too many sign-ins at once. Try again shortly."
    ),
    "started_over": Text(
        zh="登录已超时，请重新开始。", en="The sign-in took too long. Start again."
    ),
    "provider_refused": Text(
        zh="统一身份认证未能登录，或您的账户在本节点没有职责。请联系管理员。",
        en="The identity provider did not sign you in, or gives you no duty at this node. "
        "Ask the administrator.",
    ),
    "signed_out": Text(zh="已退出。", en="You are signed out."),
    "second_title": Text(zh="动态验证码", en="Verification code"),
    "second_lead": Text(
        zh="请输入身份验证器显示的6位数字，或一个恢复码。",
        en="Enter the six digits that your authenticator shows, or a recovery code.",
    ),
    "code": Text(zh="验证码", en="Code"),
    "continue": Text(zh="继续", en="Continue"),
    "start_over": Text(zh="重新登录", en="Start again"),
    "enrol_title": Text(zh="设置动态验证码", en="Set up verification codes"),
    "enrol_lead": Text(
        zh="管理员要求此账户使用动态验证码。",
        en="The administrator demands verification codes for this account.",
    ),
    "scan": Text(
        zh="用身份验证器（如手机上的验证器应用）扫描二维码，或手工输入密钥，再填写显示的6位数字。",
        en="Scan the picture with an authenticator app, or type the key, then enter the six digits "
        "that it shows.",
    ),
    "key": Text(zh="密钥", en="Key"),
    "qr": Text(zh="二维码：身份验证器密钥", en="QR code: key for the authenticator"),
    "codes_title": Text(zh="恢复码", en="Recovery codes"),
    "codes_lead": Text(
        zh="手机丢失时，每个恢复码可代替一次验证码。只显示这一次，请打印或抄写后妥善保管。",
        en="If the phone is lost each of these replaces one code. They are shown this once: print "
        "or copy them, and keep them safe.",
    ),
    "kept": Text(zh="已保存，继续", en="I have kept them, continue"),
    "invitation_title": Text(zh="设置口令", en="Choose a password"),
    "invitation_lead": Text(zh="账户{name}的首次口令。", en="The first password of {name}."),
    "new_password": Text(zh="新口令", en="New password"),
    "again": Text(zh="再输入一次", en="The same again"),
    "password_hint": Text(
        zh="15至256个字符，可用空格和中文；几个不相关的词最好记。",
        en="15 to 256 characters, spaces and any script included; several words that have nothing "
        "to do with each other are easiest to keep in mind.",
    ),
    "password_kept": Text(zh="口令已设置，请登录。", en="The password is set. Sign in."),
    "link_gone": Text(
        zh="链接已失效或已使用，请向管理员索取新的链接。",
        en="The link is used or too old. Ask the administrator for a new one.",
    ),
}

OWN: Final[dict[str, Text]] = {
    "own_title": Text(zh="我的账户", en="My account"),
    "duties": Text(zh="职责", en="Duties"),
    "change_password": Text(zh="更改口令", en="Change the password"),
    "current": Text(zh="当前口令", en="Current password"),
    "change_hint": Text(
        zh="更改后，其他浏览器上的登录都会结束。",
        en="All other browsers are signed out by it.",
    ),
    "codes": Text(zh="动态验证码", en="Verification codes"),
    "codes_on": Text(zh="已启用", en="On"),
    "codes_off": Text(zh="未启用", en="Off"),
    "codes_about": Text(
        zh="登录时除口令外，再输入手机验证器上的6位数字。口令泄露时仍可保护账户。",
        en="Besides the password you enter six digits from your phone: who knows your password "
        "alone cannot sign in.",
    ),
    "codes_set_up": Text(zh="设置动态验证码", en="Set up codes"),
    "codes_again": Text(zh="换用新手机", en="Set up another phone"),
    "codes_remove": Text(zh="关闭动态验证码", en="Turn codes off"),
    "codes_left": Text(zh="剩余恢复码：{left}个", en="Recovery codes left: {left}"),
    "recovery_new": Text(zh="生成新的恢复码", en="Make new recovery codes"),
    "codes_confirm": Text(zh="确认启用", en="Turn codes on"),
    "sessions": Text(zh="登录中的浏览器", en="Where you are signed in"),
    "device": Text(zh="浏览器", en="Browser"),
    "address": Text(zh="地址", en="Address"),
    "started": Text(zh="登录时间", en="Signed in"),
    "seen": Text(zh="最近使用", en="Last used"),
    "this": Text(zh="当前", en="This one"),
    "end": Text(zh="结束", en="End"),
    "end_others": Text(zh="结束其他所有登录", en="Sign out everywhere else"),
    "recent": Text(zh="最近登录记录", en="Recent sign-ins"),
    "recent_hint": Text(
        zh="如有不是您本人的记录，请立即更改口令并告知管理员。",
        en="If one of these was not you, change the password at once and tell the administrator.",
    ),
    "time": Text(zh="时间", en="Time"),
    "outcome": Text(zh="结果", en="What happened"),
    "external": Text(
        zh="此账户由统一身份认证管理，口令与验证码在那里更改。",
        en="The identity provider keeps this account: password and codes are changed there.",
    ),
    "none_yet": Text(zh="还没有记录", en="Nothing yet"),
}

STATES: Final[dict[str, Text]] = {
    "active": Text(zh="正常", en="Active"),
    "invited": Text(zh="待设置口令", en="Invited"),
    "disabled": Text(zh="已停用", en="Disabled"),
}

PEOPLE: Final[dict[str, Text]] = {
    "name": Text(zh="账户", en="Account"),
    "duties": Text(zh="职责", en="Duties"),
    "state": Text(zh="状态", en="State"),
    "codes": Text(zh="动态验证码", en="Codes"),
    "codes_on": Text(zh="已启用", en="On"),
    "codes_due": Text(zh="下次登录须设置", en="Due at next sign-in"),
    "codes_off": Text(zh="未启用", en="Off"),
    "codes_provider": Text(zh="由统一身份认证管理", en="At the provider"),
    "added": Text(zh="建立时间", en="Added"),
    "signed_in": Text(zh="最近登录", en="Last sign-in"),
    "time": Text(zh="时间", en="Time"),
    "outcome": Text(zh="结果", en="What happened"),
    "address": Text(zh="地址", en="Address"),
    "people_title": Text(zh="账户管理", en="Accounts"),
    "people_lead": Text(
        zh="谁可以登录本节点，以及各自的职责。每次更改都记入透明日志。",
        en="Who may sign in to this node, and to do what. Each change stands in the transparency "
        "log.",
    ),
    "add": Text(zh="新建账户", en="Add an account"),
    "new_lead": Text(
        zh="建立后得到一个链接，请通过可靠途径交给本人设置口令。",
        en="You get a link to hand to the person by a way you trust: the password is chosen there.",
    ),
    "name_hint": Text(
        zh="代号，不要用真实姓名或工号：它会出现在透明日志中，不能删除。2至32个小写字母、数字、点、横线、下划线。",
        en="A pseudonym, neither a person's name nor a staff number: it stands in the transparency "
        "log for ever. 2 to 32 of a–z, 0–9, dot, dash, underscore.",
    ),
    "apart": Text(
        zh="信贷员不宜兼任其他职责：审计会报告既管理又查询的账户。",
        en="Let credit officers have no other duty: the audit reports accounts that administer and "
        "query.",
    ),
    "demand": Text(zh="须使用动态验证码", en="Demand verification codes"),
    "waive": Text(zh="不再要求动态验证码", en="Demand codes no longer"),
    "demand_about": Text(
        zh="下次登录时须先设置验证器。", en="An authenticator has to be set up at the next sign-in."
    ),
    "change_duties": Text(zh="更改职责", en="Change duties"),
    "duties_hint": Text(
        zh="更改后，该账户须重新登录。", en="The account has to sign in again after that."
    ),
    "access": Text(zh="登录权限", en="Access"),
    "disable": Text(zh="停用账户", en="Disable the account"),
    "enable": Text(zh="启用账户", en="Enable the account"),
    "disable_about": Text(
        zh="停用后立即退出，且不能登录。", en="It is signed out at once and cannot sign in."
    ),
    "reset": Text(zh="重置口令与验证码", en="Reset password and codes"),
    "reset_about": Text(
        zh="原口令、验证码和恢复码作废，并得到一个新的链接。",
        en="Password, codes and recovery codes end, and you get a new link.",
    ),
    "recent": Text(zh="登录记录（180天）", en="Sign-ins of 180 days"),
    "invited_title": Text(zh="设置口令的链接", en="The link to choose a password"),
    "invited_lead": Text(
        zh="账户{name}的链接，只显示这一次，三天内有效，只能使用一次。",
        en="For {name}. It is shown this once, is good for three days, and for one use.",
    ),
    "invited_hint": Text(
        zh="请当面或通过可靠途径交给本人，不要群发。",
        en="Hand it over in person or by a way you trust; whoever has it chooses the password.",
    ),
    "to_accounts": Text(zh="返回账户管理", en="Back to the accounts"),
    "external": Text(
        zh="此账户来自统一身份认证：职责、口令与验证码在那里管理，这里只能停用。",
        en="This account comes from the identity provider: duties, password and codes are kept "
        "there. Here it can be disabled.",
    ),
}
