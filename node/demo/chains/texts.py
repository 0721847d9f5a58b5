"""What the demo of several chains says besides, in both languages."""

from __future__ import annotations

from node.demo.texts import TEXTS, Language

CHAIN_TEXTS: dict[str, dict[str, str]] = {
    "title": {
        "zh": "隐信 · {count} 条征信链在本机互联",
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
    "chain": {"zh": "征信链", "en": "chain"},
    "holders": {"zh": "数据持有方", "en": "holders"},
    "enterprises": {"zh": "企业", "en": "enterprises"},
    "out": {"zh": "本链银行\n查他链", "en": "asked by its\nbank elsewhere"},
    "in": {"zh": "他链银行\n查本链", "en": "asked here by\nother banks"},
    "beside": {
        "zh": "{uscc}：每条链一份记录，只按评分卡写明的规则（{rule}）合并",
        "en": "{uscc}: a record a chain, combined only by the scorecard's rule ({rule})",
    },
    "score": {"zh": "评分", "en": "score"},
    "coverage": {"zh": "数据覆盖", "en": "coverage"},
    "combined": {"zh": "合并", "en": "combined"},
    "seen": {"zh": "跨链查询中各方看到了什么", "en": "Who sees what of a query between chains"},
    "own_hub": {"zh": "银行所在链的枢纽", "en": "the bank's own hub"},
    "own_hub_learned": {
        "zh": "本链哪家银行何时以哪个模型在哪条链查询",
        "en": "which bank asks in which chain, when, under which model",
    },
    "own_hub_never": {
        "zh": "哪家企业、授权、模型内容、评分",
        "en": "the firm, its consent, the model's points, the score",
    },
    "other_hub": {"zh": "企业所在链的枢纽", "en": "the hub where the firm is"},
    "other_hub_learned": {
        "zh": "与查询本链时相同：哪家银行凭授权查哪家企业",
        "en": "as in its own chain: which bank asks about which firm",
    },
    "other_hub_never": {"zh": "数据、模型、评分", "en": "features, models, scores"},
    "other_holders": {"zh": "企业所在链的数据持有方", "en": "the holders there"},
    "other_holders_learned": {
        "zh": "某外链银行就某授权企业查询过一次",
        "en": "that a bank of another chain asked about some consenting firm",
    },
    "other_holders_never": {"zh": "哪家企业、什么模型、多少分", "en": "which firm, model, score"},
    "own_regulator": {"zh": "银行所在链的监管方", "en": "the bank's regulator"},
    "own_regulator_learned": {
        "zh": "评分卡（转送并作保）；两链日志",
        "en": "the scorecard, which it vouches for; both chains' logs",
    },
    "own_regulator_never": {"zh": "哪家企业、原始数据", "en": "the firm, raw data"},
    "other_regulator": {"zh": "企业所在链的监管方", "en": "the regulator where the firm is"},
    "other_regulator_learned": {
        "zh": "评分卡及其历史；全部查询证据",
        "en": "scorecards with their history; all evidence",
    },
    "other_regulator_never": {"zh": "原始数据", "en": "raw data"},
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
