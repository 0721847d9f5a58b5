"""What the accounts say, in both languages."""

from __future__ import annotations

from typing import Final

from scoring.documents import Text

PROBLEMS: Final[dict[str, Text]] = {
    "short": Text(
        zh="口令至少{least}个字符，例如几个不相关的词",
        en="has fewer than {least} characters; use several words that have nothing to do with "
        "each other",
    ),
    "long": Text(zh="口令最多{most}个字符", en="has more than {most} characters; use fewer"),
    "common": Text(
        zh="该口令是常见口令或由名称组成，请换一个",
        en="is one of the commonest, or made of a name; use another one",
    ),
    "repeated": Text(zh="两次输入的口令不一致", en="is not the same both times; enter it again"),
    "wrong_password": Text(zh="当前口令不正确", en="is not the current password; enter it again"),
    "wrong_code": Text(
        zh="验证码不正确或已用过，请等下一个",
        en="is wrong or was used already; wait for the next one",
    ),
    "name": Text(
        zh="名称为2至32个小写字母、数字、点、横线或下划线，请用代号而非真实姓名",
        en="is no account name; use 2 to 32 of a–z, 0–9, dot, dash and underscore: a pseudonym, "
        "not a person's name",
    ),
    "taken": Text(zh="该名称已存在，请换一个", en="{name!r} exists already; use another name"),
    "unknown": Text(zh="没有账户{name}", en="there is no account {name!r}; list them first"),
    "duties": Text(zh="请至少选择一项职责：{known}", en="needs at least one of the duties {known}"),
    "last": Text(
        zh="这是最后一个可登录的管理员账户，请先增加另一个管理员",
        en="this is the last administrator that can sign in; add another one first",
    ),
    "demanded": Text(
        zh="管理员要求此账户使用动态验证码，不能关闭",
        en="codes are demanded of this account; only an administrator can end that",
    ),
    "no_totp": Text(
        zh="尚未设置动态验证码", en="there are no codes to replace; set verification codes up first"
    ),
    "started_over": Text(
        zh="设置已超时，请重新开始", en="the setting up took too long; start it again"
    ),
    "external": Text(
        zh="该账户由统一身份认证管理，请在那里更改",
        en="the account belongs to the identity provider; change it there",
    ),
    "disabled": Text(zh="该账户已停用，请先启用", en="the account is disabled; enable it first"),
    "expired": Text(
        zh="链接已失效或已使用，请向管理员索取新的链接",
        en="the link is used or too old; ask the administrator for a new one",
    ),
    "busy": Text(zh="登录请求过多，请稍后再试", en="too many sign-ins at once; try again shortly"),
}
