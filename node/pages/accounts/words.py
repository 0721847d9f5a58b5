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
