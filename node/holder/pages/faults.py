"""What is wrong with a mapping, in the viewer's language: the core says it in English.

Whatever has no Chinese words here is shown as it is; it names keys and values of the file.
"""

from __future__ import annotations

import re
from typing import Final

_CHINESE: Final[tuple[tuple[str, str], ...]] = (
    (r"add the key", "补上该项"),
    (r"remove the key, or correct its spelling", "删除该项，或改正拼写"),
    (r"remove the key", "删除该项"),
    (r"use one of the types that the message lists", "改用提示中列出的类型"),
    (r'give the table a "type"', '补上 type'),
    (r"correct the value", "改正取值"),
    (r"correct the TOML", "改正 TOML 写法"),
    (r"check the path", "核对路径"),
    (r"not a key of a mapping", "映射中没有该项"),
    (r"(\S+) is not in the catalogue", r"目录中没有数据类别 \1"),
    (r"the catalogue's (\S+) has no such feature", r"目录的 \1 类中没有该特征"),
    (r"the feature is a number", "该特征是数值"),
    (r"use a conversion to a number", "改用数值换算"),
    (r"the feature is a category", "该特征是分类"),
    (r'use type = "categories"', '改用 type = "categories"'),
    (r"a category has no range", "分类特征没有取值范围"),
    (r"the catalogue has no category (.+) here", r"目录中没有类别 \1"),
    (r"is (\S+), this holder's is (\S+)", r"为 \1，本方的数据类别是 \2"),
    (r"is another one than in the file", "与本机文件中的不一致"),
    (
        r"leave it; a source is changed on the machine, not on a page",
        "保持原样；数据源只能在本机修改",
    ),
    (r"use (.+)", r"可用：\1"),
    (r"Field required", "缺少该项"),
    (r"Extra inputs are not permitted", "不认识该项"),
    (r"Input should be a valid (.+)", r"应为 \1"),
    (r"Input should be '(.+)'", r"应为 \1"),
    (r"Input should be (.+)", r"应为 \1"),
    (r"Input tag '(.+)' found using .+ does not match any of the expected tags: (.+)",
     r"类型 \1 不存在，可用：\2"),
    (r"String should have at least 1 character", "不能为空"),
    (r"String should match pattern .+", "写法不符合要求（查询应以 SELECT 或 WITH 开头）"),
    (r"Value error, range (\[.+\]) is upside down; write \[lowest, highest\]",
     r"范围 \1 上下颠倒，应为 [最小, 最大]"),
    (r"Value error, factor is 0, which makes all values equal; give the unit's ratio",
     "系数为0会使所有值相同，请填写单位换算系数"),
    (r"Value error, (\[.+\]) stand for yes and for no; keep each in one list",
     r"\1 同时出现在 yes 和 no 中，只能保留一处"),
    (r"Value error, give either url or url_file .+", "url 与 url_file 只能且必须填写一个"),
    (r"(.+) \(at line (\d+), column (\d+)\)", r"第\2行第\3列写法有误（\1）"),
    (r"(.+) \(at end of document\)", r"文件末尾写法有误（\1）"),
)  # fmt: skip
_PATTERNS: Final = tuple((re.compile(pattern, re.DOTALL), zh) for pattern, zh in _CHINESE)


def in_language(text: str, language: str) -> str:
    """A problem or remedy of a MappingError in `zh` or `en`."""
    if language == "zh":
        for pattern, chinese in _PATTERNS:
            if (found := pattern.fullmatch(text)) is not None:
                return found.expand(chinese)
    return text.removeprefix("Value error, ")
