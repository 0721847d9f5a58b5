"""What the demo of several chains says besides, in both languages."""

from __future__ import annotations

from node.demo.texts import TEXTS, Language

CHAIN_TEXTS: dict[str, dict[str, str]] = {
    "title": {
        "zh": "隐信 · {count} 条信用链在本机互联",
        "en": "Yinxin · {count} credit chains on this machine, interconnected",
    },
    "found": {
        "zh": "各链各自建立信任根，签发各方证书",
        "en": "founding the chains, each with its own root",
    },
    "trust": {
        "zh": "监管方比对指纹，互相确认信任",
        "en": "regulators compare fingerprints, pin each other",
    },
    "open": {"zh": "各链开放数据期次", "en": "opening each chain's epoch"},
    "certify": {
        "zh": "每家银行的评分卡由各链监管方认证",
        "en": "each chain's regulator certifies every bank",
    },
    "prepare": {"zh": "盲评预备：每条链每家银行", "en": "blind evaluation ahead: every bank"},
    "home": {"zh": "本链查询", "en": "queries in the bank's own chain"},
    "across": {"zh": "跨链查询", "en": "queries across chains"},
    "joint": {
        "zh": "一家企业在多条链：一次请求，每链一份记录",
        "en": "a firm in every chain: one request, a record each",
    },
    "parted": {
        "zh": "{chain}枢纽失联：指名失败，再按请求给部分结果",
        "en": "the hub of {chain} is away: named, then in part",
    },
    "refusals": {"zh": "十种应被拒绝的请求", "en": "ten requests that must be refused"},
    "audit": {
        "zh": "各链监管方审计并互相核对",
        "en": "every regulator audits, and they reconcile",
    },
    "withdraw": {
        "zh": "{chain}监管方撤回信任：查询即停",
        "en": "{chain} withdraws its trust: queries end",
    },
    "chains": {"zh": "各链", "en": "The chains"},
    "chain": {"zh": "信用链", "en": "chain"},
    "holders": {"zh": "数据持有方", "en": "holders"},
    "enterprises": {"zh": "企业", "en": "enterprises"},
    "out": {"zh": "本链银行\n查他链", "en": "asked by its\nbank elsewhere"},
    "in": {"zh": "他链银行\n查本链", "en": "asked here by\nother banks"},
    "beside": {
        "zh": "{uscc}：三条链各一份记录，只按评分卡写明的规则（{rule}）合并",
        "en": "{uscc}: a record a chain, combined only by the rule of the scorecard ({rule})",
    },
    "score": {"zh": "评分", "en": "score"},
    "coverage": {"zh": "数据覆盖", "en": "coverage"},
    "combined": {"zh": "合并", "en": "combined"},
    "crossed": {
        "zh": "跨链查询 {queries} 次，失败 {failures}，不符 {mismatches}；"
        "p50 {p50} 毫秒，p95 {p95} 毫秒",
        "en": "{queries} queries across chains, {failures} failures, {mismatches} mismatches; "
        "p50 {p50} ms, p95 {p95} ms",
    },
    "reconciled": {
        "zh": "监管方互相核对：{out} 次跨链查询两边日志一致",
        "en": "the regulators reconciled: {out} queries across chains stand in both chains' logs",
    },
}


def chain_text(key: str, language: Language, **values: object) -> str:
    """The text of `key`, of several chains or of one, with its values filled in."""
    found = CHAIN_TEXTS.get(key) or TEXTS[key]
    return found[language].format(**values)
