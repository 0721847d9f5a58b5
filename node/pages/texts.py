"""Words that every page uses, and the notices that a page shows after something was done."""

from __future__ import annotations

from typing import Final

from scoring.documents import Text

COMMON: Final[dict[str, Text]] = {
    "product": Text(zh="隐信", en="Yinxin"),
    "tagline": Text(zh="信用信息可用不可见", en="Credit data, usable but invisible"),
    "sign_out": Text(zh="退出", en="Sign out"),
    "account": Text(zh="我的账户", en="My account"),
    "accounts": Text(zh="账户管理", en="Accounts"),
    "language": Text(zh="English", en="中文"),
    "theme": Text(zh="深浅色切换", en="Dark or light"),
    "skip": Text(zh="跳到正文", en="Skip to the content"),
    "menu": Text(zh="菜单", en="Menu"),
    "china_time": Text(zh="北京时间（UTC+8）", en="China time (UTC+8)"),
    "filter": Text(zh="筛选", en="Filter"),
    "clear": Text(zh="清除", en="Clear"),
    "export": Text(zh="导出 CSV", en="Export CSV"),
    "all": Text(zh="全部", en="All"),
    "from": Text(zh="起", en="from"),
    "to": Text(zh="止", en="to"),
    "previous": Text(zh="上一页", en="Previous"),
    "next": Text(zh="下一页", en="Next"),
    "page_of": Text(zh="第{page}页，共{pages}页", en="Page {page} of {pages}"),
    "rows_of": Text(zh="共{total}条", en="{total} in all"),
    "pages": Text(zh="翻页", en="Pages"),
    "day_of": Text(zh="{column}{word}", en="{column}, {word}"),
    "begins": Text(zh="以此开头", en="begins with"),
    "no_rows": Text(
        zh="没有符合条件的记录，请放宽筛选条件", en="Nothing matches: try a wider filter"
    ),
    "no_rows_yet": Text(zh="暂无记录", en="Nothing here yet"),
    "no_answer": Text(
        zh="服务器没有应答，请检查网络后重试",
        en="No answer from the server: look at the network and retry",
    ),
    "copy": Text(zh="点击复制", en="click to copy"),
    "copied": Text(zh="已复制", en="Copied"),
    "colon": Text(zh="：", en=": "),
    "open": Text(zh="查看", en="Open"),
    "save": Text(zh="保存", en="Save"),
    "cancel": Text(zh="取消", en="Cancel"),
    "back": Text(zh="返回", en="Back"),
    "yes": Text(zh="是", en="Yes"),
    "no": Text(zh="否", en="No"),
    "none": Text(zh="无", en="none"),
    "table": Text(zh="数据表", en="As a table"),
    "synthetic": Text(
        zh="沙盒：企业、数据与时间均为模拟", en="Sandbox: firms, data and time are synthetic"
    ),
    "sorted_up": Text(zh="升序", en="ascending"),
    "sorted_down": Text(zh="降序", en="descending"),
}

ERRORS: Final[dict[int, tuple[Text, Text]]] = {
    400: (
        Text(zh="请求有误", en="The request is wrong"),
        Text(
            zh="请返回上一页，检查填写的内容后重试。",
            en="Go back, look at what you entered, retry.",
        ),
    ),
    403: (
        Text(zh="没有权限", en="Not yours to see"),
        Text(
            zh="您的账户没有此项职责，或表单已失效。请重新打开页面；仍不行请联系管理员。",
            en="Your account does not have this duty, or the form is too old. Open the page anew; "
            "if it stays so, ask the administrator.",
        ),
    ),
    404: (
        Text(zh="没有这个页面", en="There is no such page"),
        Text(zh="请从菜单进入。", en="Choose one from the menu."),
    ),
    413: (
        Text(zh="文件过大", en="The file is too large"),
        Text(zh="请减小文件后重试。", en="Send a smaller one."),
    ),
    429: (
        Text(zh="尝试过于频繁", en="Too many attempts"),
        Text(zh="请稍后再试。", en="Wait a while and try again."),
    ),
    500: (
        Text(zh="系统内部错误", en="Something went wrong here"),
        Text(
            zh="已记入本节点日志，请联系管理员。", en="The node's log has it; tell whoever runs it."
        ),
    ),
    503: (
        Text(zh="暂时无法应答", en="No answer just now"),
        Text(
            zh="本节点日志暂不可写或未获见证，请稍后再试。",
            en="The node's log cannot be written or is not witnessed. Try again later.",
        ),
    ),
}

NOTICES: Final[dict[str, Text]] = {
    "saved": Text(zh="已保存", en="Saved"),
    "done": Text(zh="已完成", en="Done"),
    "sent": Text(zh="已发送", en="Sent"),
}
"""What `Visit.redirect` may name; whatever else an address says is not shown."""
