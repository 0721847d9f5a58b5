"""Words of the pages on queries."""

from __future__ import annotations

from typing import Final

from node.regulator.pages.texts import SECTIONS, SHARED
from scoring.documents import Text

SOME: Final = {"yes": Text(zh="有", en="some"), "no": Text(zh="无", en="none")}
QUERIES: Final[dict[str, Text]] = SHARED | {
    "title": SECTIONS["/queries"][0],
    "lead": Text(
        zh="平台签发的每份许可，审计核验后列于此处；经办人为代号，企业身份不在表中。",
        en="Every permit of the hub's, once the audit verified it. Officers are pseudonyms, and no "
        "enterprise is named here.",
    ),
    "officer": Text(zh="经办人", en="Officer"),
    "named": Text(zh="具名", en="Named"),
    "verified": Text(zh="单笔核验", en="Verified"),
    "passed": Text(zh="通过", en="passed"),
    "failed": Text(zh="未通过", en="failed"),
    "by_firm": Text(zh="按企业查找", en="Find by enterprise"),
    "firm_hint": Text(
        zh="查找行为以您的账户记入本节点日志；日志不写企业代码。",
        en="That you searched is logged with your account; the log does not hold the code.",
    ),
    "uscc": Text(zh="统一社会信用代码", en="Unified social credit code (USCC)"),
    "find": Text(zh="查找", en="Find"),
    "firm_title": Text(zh="企业的全部查询", en="All queries about an enterprise"),
    "firm_lead": Text(
        zh="{uscc}：共{count}笔已审计查询。本次查找已记入日志。",
        en="{uscc}: {count} audited queries. This search is in the log.",
    ),
    "firm_none": Text(
        zh="没有关于该企业的已审计查询。请核对代码；新查询在审计后出现。",
        en="No audited query is about it. Check the code; new queries appear once audited.",
    ),
    "bad_uscc": Text(
        zh="不是有效的统一社会信用代码：18位，末位为校验码。请核对后重试。",
        en="No valid code: 18 characters, the last one a check. Compare it and try again.",
    ),
}

QUERY: Final[dict[str, Text]] = SHARED | {
    "title": Text(zh="查询 {id}", en="Query {id}"),
    "lead": Text(zh="{bank}，{purpose}，{time}", en="{bank}, {purpose}, {time}"),
    "id": Text(zh="许可哈希", en="Permit hash"),
    "expires": Text(zh="许可到期", en="Permit until"),
    "facts": Text(zh="查询事实", en="The facts"),
    "steps": Text(zh="核验步骤", en="Verification"),
    "steps_hint": Text(
        zh="单笔核验依次进行，首个未通过者即为发现；跨日志核对相互独立。",
        en="The permit's checks run in order, and the first that fails is the finding; checks "
        "across logs are each made by themselves.",
    ),
    "timeline": Text(zh="各方日志", en="What each log says"),
    "timeline_hint": Text(
        zh="时间由各方自行记录；“已见证”指条目在法定多数联署的检查点之内。",
        en="Times are each party's own; \"cosigned\" entries are under a quorum's checkpoint.",
    ),
    "consent_signed": Text(zh="企业签署授权", en="enterprise signed the consent"),
    "enterprise": Text(zh="企业", en="Enterprise"),
    "cosigned": Text(zh="已见证", en="cosigned"),
    "uncosigned": Text(zh="待见证", en="not cosigned yet"),
    "no_entries": Text(
        zh="镜像中没有关于该许可的条目。", en="The mirror has no entry about this permit."
    ),
    "answers": Text(zh="数据方应答", en="Answers of the holders"),
    "answered": Text(zh="已解锁", en="unlocked"),
    "unanswered": Text(zh="没有解锁记录", en="no unlock logged"),
    "consent_title": Text(zh="企业授权", en="The consent"),
    "consent_hash": Text(zh="授权哈希", en="Hash"),
    "consent_id": Text(zh="授权编号", en="Number"),
    "signed_at": Text(zh="签署", en="Signed"),
    "holds": Text(zh="有效期", en="Holds"),
    "uses": Text(zh="可用次数（每链）", en="Uses (a chain)"),
    "of_chains": Text(zh="适用链", en="Chains"),
    "no_consent": Text(
        zh="证据中没有授权，或证据未能打开：见审计发现。",
        en="The evidence shows no consent, or did not open: see the findings.",
    ),
    "firm": Text(zh="被查询企业", en="The enterprise"),
    "firm_hidden": Text(
        zh="企业代码加密保存。显示后，您的账户与本许可将记入本节点日志。",
        en="The code is kept sealed. Showing it is logged with your account and this permit.",
    ),
    "firm_unknown": Text(zh="证据未显示企业。", en="The evidence did not show an enterprise."),
    "show_firm": Text(zh="显示企业代码", en="Show the enterprise"),
    "evidence": Text(zh="证据包", en="Evidence"),
    "evidence_hint": Text(
        zh="含各方日志条目、证明、授权原文与独立核验程序；任何人无需本系统即可核验。"
        "生成约需数秒，导出行为记入日志。",
        en="Entries of all logs with proofs, the consent itself and a verifier that needs nothing "
        "of this system. Takes some seconds; the export is logged.",
    ),
    "download": Text(zh="导出证据包（ZIP）", en="Export evidence (ZIP)"),
    "no_key": Text(
        zh="本进程无权读取审计密钥（这是推荐的配置）。请由审计用户运行：",
        en="This process may not read the audit key, as is recommended. The audit's user runs:",
    ),
    "no_evidence": Text(zh="证据包未生成：{problem}", en="No evidence was made: {problem}"),
    "passed": Text(zh="通过", en="passed"),
    "failed": Text(zh="未通过", en="failed"),
    "open": Text(zh="未判定", en="not judged"),
    "yes": Text(zh="是", en="yes"),
    "named": Text(zh="告知主体", en="Names the subject"),
    "until": Text(zh="至", en="to"),
}

STEP: Final[dict[str, Text]] = {
    "permit": Text(
        zh="许可由平台签发并如实记录", en="Permit signed by the hub and logged as it is"
    ),
    "bank": Text(zh="查询机构当时为成员或客户机构", en="Bank was a member or a guest"),
    "model": Text(zh="模型经监管认证且有效", en="Model certified, logged and valid"),
    "epoch": Text(zh="数据期已开放，上下文相符", en="Epoch open, context right"),
    "audience": Text(zh="受众与有效期合规", en="Audience and validity right"),
    "evidence": Text(zh="证据信封可打开且属于本许可", en="Evidence opens and is of this permit"),
    "consent": Text(
        zh="企业签署授权且当时有效", en="Consent signed by the enterprise, and in force"
    ),
    "coverage": Text(
        zh="授权覆盖机构、用途、链与字段", en="Consent covers bank, purpose, chain, fields"
    ),
    "proof": Text(zh="盲化元素属于授权企业", en="Blinded element is the enterprise's"),
    "uses": Text(zh="授权使用未超限", en="Uses of the consent within its limits"),
    "counterparts": Text(zh="平台、数据方与银行日志相符", en="Logs of hub, holders and bank agree"),
    "conduct": Text(zh="查询行为无异常", en="Nothing unusual in the conduct"),
}
