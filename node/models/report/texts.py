"""The words of the policy report, in both languages."""

from __future__ import annotations

from typing import Final

from scoring.documents import Text

LANGUAGES: Final = ("zh", "en")

WORDS: Final[dict[str, Text]] = {
    "system": Text(zh="隐信 · 信用信息可用不可见", en="Yinxin · credit data, usable but invisible"),
    "title": Text(zh="评分卡认证报告", en="Policy report on a scorecard"),
    "made": Text(zh="出具", en="Made"),
    "confidential": Text(
        zh="引用评分卡，仅供该机构与监管使用", en="Quotes the scorecard: for its bank and regulator"
    ),
    "passed_title": Text(zh="符合认证规则", en="The scorecard meets the policy"),
    "refused_title": Text(zh="不符合认证规则", en="The scorecard does not meet the policy"),
    "passed_why": Text(
        zh="全部{count}项数值均在界限之内。", en="All {count} figures are within their limits."
    ),
    "refused_why": Text(
        zh="{count}项数值中有{failed}项超出界限（规则{rules}）。",
        en="{failed} of {count} figures are beyond their limits (rules {rules}).",
    ),
    "facts": Text(zh="评分卡", en="The scorecard"),
    "name": Text(zh="名称与版本", en="Name and version"),
    "bank": Text(zh="机构", en="Institution"),
    "decided": Text(zh="判定时间（北京）", en="Decided (UTC+8)"),
    "catalogue": Text(zh="特征目录", en="Catalogue"),
    "participants": Text(zh="参与数据方", en="Participants"),
    "disclosed": Text(zh="声明披露的特征", en="Disclosed features"),
    "certificate": Text(zh="证书", en="Certificate"),
    "salted": Text(zh="报告加盐哈希", en="Salted hash of the report"),
    "history": Text(zh="一并判定的既往评分卡", en="Earlier scorecards judged with it"),
    "none": Text(zh="无", en="none"),
    "summary": Text(zh="各规则结果", en="Rule by rule"),
    "rule": Text(zh="规则", en="Rule"),
    "demands": Text(zh="要求", en="What it demands"),
    "figures": Text(zh="项数", en="Figures"),
    "failed": Text(zh="未通过", en="Failed"),
    "ok": Text(zh="通过", en="passed"),
    "no": Text(zh="未通过", en="failed"),
    "a": Text(
        zh="每个评分项由足够多的非公开特征支撑，且无一独大",
        en="Enough non-public features carry each field, and none dominates it",
    ),
    "b": Text(
        zh="分值等距、档位有限，跳变为多个特征共有：分值不能当作编码读回",
        en="Few, evenly spaced points whose jumps several features share: no code to read back",
    ),
    "c": Text(
        zh="与24个月内认证的所有评分卡任意加减，不能单独显出少数特征",
        en="No sum or difference with anything certified in 24 months tells of a few features",
    ),
    "d": Text(
        zh="得分记录对任一特征取值区间的揭示不超过上限",
        en="A record tells of no set of a feature's bins more than the limit",
    ),
    "failures": Text(zh="须修改之处", en="What has to be mended"),
    "more": Text(
        zh="另有{count}项未列出；用 --html 查看全部。", en="{count} more; --html shows all of them."
    ),
    "others": Text(
        zh="该特征另有{count}项超出，见其图。",
        en="{count} more about this feature are over, see its plot.",
    ),
    "field": Text(zh="评分项", en="Field"),
    "feature": Text(zh="特征", en="Feature"),
    "bins": Text(zh="区间", en="Bins"),
    "prior": Text(zh="占比", en="Prior"),
    "figure": Text(zh="数值", en="Figure"),
    "limit": Text(zh="界限", en="Limit"),
    "outcome": Text(zh="结果", en="Outcome"),
    "what": Text(zh="说明", en="What"),
    "remedies": Text(zh="怎样修改可通过", en="What would make it pass"),
    "remedy_whole": Text(
        zh="按下列修改后，整张评分卡通过全部规则（已重新判定）：",
        en="With these changes the whole scorecard passes every rule (judged again):",
    ),
    "remedy_whole_after": Text(
        zh="再按下列修改后，整张评分卡通过全部规则（已重新判定）：",
        en="With these further changes the whole scorecard passes every rule (judged again):",
    ),
    "remedy_rules": Text(
        zh="按下列修改后，规则{rules}通过（已重新判定），其余规则尚未通过：",
        en="With these changes rule {rules} passes (judged again), not yet every other:",
    ),
    "remedy_none": Text(
        zh="未找到使整张评分卡通过的修改；仍未通过的规则：{rules}。",
        en="No changes were found that make it all pass; rules that still fail: {rules}.",
    ),
    "remedy_stopped": Text(
        zh="已用完{count}次判定的预算，更多修改未再尝试。",
        en="The budget of {count} judgements was used up; further changes were not tried.",
    ),
    "shift": Text(
        zh="企业得分的典型变动约{points:.1f}分",
        en="a firm's score moves by about {points:.1f} points",
    ),
    "fields": Text(zh="评分项", en="The fields"),
    "carries": Text(zh="离散度占比（支撑：不低于）", en="Share of the spread (carries from)"),
    "dominates": Text(
        zh="非公开特征中的占比（上限）", en="Share among non-public (dominates above)"
    ),
    "spread_title": Text(zh="{name}：各特征的离散度", en="{name}: spread of its features"),
    "levels_title": Text(zh="{name}：各特征所用分值", en="{name}: point values in use"),
    "levels": Text(
        zh="所用分值（每点{step:.3g}分）",
        en="Point values in use (a unit is {step:.3g} points of score)",
    ),
    "jump": Text(zh="跳变", en="Jump"),
    "support": Text(zh="非公开特征数", en="Non-public features with it"),
    "jumps": Text(zh="跳变：{listed}", en="Jumps: {listed}"),
    "jump_of": Text(
        zh="{jump}（{support}个特征，至少{limit}）",
        en="{jump} (in {support} features, {limit} needed)",
    ),
    "differences": Text(zh="与既往评分卡的加减（规则c）", en="Sums and differences (rule c)"),
    "isolates": Text(zh="单独显出的特征", en="Features told alone"),
    "features": Text(zh="逐特征：分值与揭示程度", en="Feature by feature: points and what is told"),
    "share_of_firms": Text(zh="企业占比", en="Share of firms"),
    "points": Text(zh="分值", en="Points"),
    "told": Text(zh="占比 ¦  界限 ¦  后验 ●", en="prior ¦ limit ¦ posterior ●"),
    "told_numbers": Text(zh="后验与界限", en="figure ≤ limit"),
    "bins_title": Text(zh="{name}：各区间占比与分值", en="{name}: bins, shares and points"),
    "gains_title": Text(zh="{name}：记录所揭示的程度", en="{name}: what a record tells"),
    "untold": Text(
        zh="本报告没有关于该特征的规则d数值", en="No figures of rule d about this feature"
    ),
    "public": Text(zh="公开", en="public"),
    "is_disclosed": Text(zh="已声明披露", en="disclosed"),
    "all_figures": Text(zh="全部数值", en="Every figure"),
    "sort": Text(zh="点击表头排序", en="Click a heading to sort"),
    "thresholds": Text(zh="所用阈值", en="Thresholds in force"),
    "no_thresholds": Text(
        zh="报告未附阈值；界限见各项数值。",
        en="The report carries none; each figure has its limit.",
    ),
    "missing": Text(zh="缺失", en="missing"),
    "other": Text(zh="其他", en="other"),
    "any": Text(zh="任意数值", en="any number"),
    "page": Text(zh="第 {page} 页，共 {pages} 页", en="Page {page} of {pages}"),
    "fewest_features": Text(
        zh="a：支撑一个评分项的非公开特征，至少",
        en="a: non-public features that carry a field, at least",
    ),
    "least_share": Text(zh="a：支撑所需的离散度占比", en="a: share of the spread that carries"),
    "greatest_share": Text(zh="a：单个特征的占比上限", en="a: share that one feature may have"),
    "most_levels": Text(zh="b：等距档位上限", en="b: evenly spaced point values, at most"),
    "jump_support": Text(
        zh="b：跳变须出现的非公开特征数", en="b: non-public features in which a jump occurs"
    ),
    "isolated_features": Text(
        zh="c：不得单独显出的特征数", en="c: features that may not be told alone, up to"
    ),
    "greatest_difference": Text(
        zh="c：与已失效评分卡之差中单个特征的占比上限",
        en="c: one feature's share in the difference from a scorecard that is over, at most",
    ),
    "greatest_gain": Text(
        zh="d：后验相对占比的提升上限", en="d: how far a posterior may rise from its prior"
    ),
    "most_valid_models": Text(zh="d：同时有效的模型数上限", en="d: models valid at once, at most"),
}


def say(name: str, language: str, /, **details: object) -> str:
    """A word or sentence of the report in `zh` or `en`."""
    return of(WORDS[name], language).format(**details)


def of(text: Text, language: str) -> str:
    """A text in `zh` or `en`."""
    return text.zh if language == "zh" else text.en


def listed(items: list[str] | tuple[str, ...], language: str) -> str:
    """Several things in a row."""
    return ("、" if language == "zh" else ", ").join(items)
