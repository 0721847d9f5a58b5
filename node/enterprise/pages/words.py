"""The words of the agent's pages."""

from __future__ import annotations

from typing import Final

from federation.purpose import PURPOSE_TITLES
from scoring.documents import Text

PURPOSES: Final[dict[str, Text]] = {
    purpose.value: Text(zh=titles["zh"], en=titles["en"][0].upper() + titles["en"][1:])
    for purpose, titles in PURPOSE_TITLES.items()
}
CONSENT_STATES: Final[dict[str, Text]] = {
    "holds": Text(zh="有效", en="In force"),
    "used": Text(zh="已用完", en="Used up"),
    "ended": Text(zh="已到期", en="Ended"),
    "cancelling": Text(zh="撤销中", en="Being cancelled"),
    "cancelled": Text(zh="已撤销", en="Cancelled"),
}
CONSENT_TONES: Final = {"holds": "good", "cancelling": "warn"}

CONSENTS: Final[dict[str, Text]] = {
    "title": Text(zh="授权", en="Consents"),
    "lead": Text(
        zh="银行只有凭您签署的授权才能查询本企业。授权在本机签署并保存，平台仅登记。",
        en="A bank can ask about your firm only under a consent that you signed. It is signed and "
        "kept on this machine; the hub registers it.",
    ),
    "give": Text(zh="签署授权", en="Give a consent"),
    "none": Text(
        zh="还没有签署过授权。银行告知您其标识、用途和评分项后，点击“签署授权”。",
        en="No consent yet. When a bank has told you its name, purpose and score fields, choose "
        "“Give a consent”.",
    ),
    "says": Text(zh="授权内容", en="What it allows"),
    "given": Text(zh="签署时间", en="Given"),
    "bank": Text(zh="银行", en="Bank"),
    "purpose": Text(zh="用途", en="Purpose"),
    "chains": Text(zh="征信链", en="Chains"),
    "uses": Text(zh="已用 / 可用", en="Used / allowed"),
    "until": Text(zh="有效期至", en="Until"),
    "state": Text(zh="状态", en="State"),
    "fields": Text(zh="评分项", en="Score fields"),
    "disclosed": Text(zh="可披露数据项", en="Disclosed features"),
    "named": Text(zh="须告知企业名称的数据方", en="Holders told the name"),
    "begins": Text(zh="生效时间", en="From"),
    "id": Text(zh="授权编号", en="Consent id"),
    "registered": Text(zh="平台已登记", en="Registered at"),
    "not_registered": Text(zh="尚未登记", en="Not registered yet"),
    "register": Text(zh="登记到平台", en="Register at the hub"),
    "hand": Text(zh="交给银行", en="Hand it to the bank"),
    "hand_lead": Text(
        zh="银行查询时需要这份文件。文件写有本企业代码，请只交给该银行。",
        en="The bank needs this file to ask. It names your firm: give it to that bank alone.",
    ),
    "download": Text(zh="下载授权文件", en="Download the consent"),
    "cancel_title": Text(zh="撤销授权", en="Cancel this consent"),
    "cancel_lead": Text(
        zh="平台出具回执后，不再为此授权签发新的查询许可；已完成的查询不受影响。撤销不能恢复。",
        en="From the hub's receipt on there is no new query under it. Queries already made stand. "
        "It cannot be taken back.",
    ),
    "sure": Text(zh="我确认撤销此授权", en="I want to cancel this consent"),
    "not_sure": Text(zh="请先勾选确认", en="Tick the box first"),
    "cancel_again": Text(zh="再次通知平台", en="Tell the hub again"),
    "cancelled_at": Text(zh="撤销时间", en="Cancelled"),
    "usage": Text(zh="此授权下的查询", en="Queries under it"),
    "no_usage": Text(zh="尚无查询", en="None so far"),
    "unreached": Text(zh="平台未答复：{chain}（{problem}）", en="No receipt of {chain}: {problem}"),
    "unknown_chain": Text(
        zh="本机未登记该链，请运行 yinxin enterprise connect",
        en="this machine does not know the chain; run: yinxin enterprise connect",
    ),
    "none_at_all": Text(zh="无", en="none"),
}

GIVING: Final[dict[str, Text]] = {
    "title": Text(zh="签署授权", en="Give a consent"),
    "lead": Text(
        zh="您决定哪家银行、为何、在哪里、能查几次。签名密钥不离开本机。",
        en="You decide which bank may ask, why, where and how often. The key that signs does not "
        "leave this machine.",
    ),
    "bank": Text(zh="银行", en="Bank"),
    "choose": Text(zh="请选择", en="Choose"),
    "purpose": Text(zh="用途", en="Purpose"),
    "fields": Text(zh="评分项（以逗号分隔）", en="Score fields, separated by commas"),
    "fields_hint": Text(
        zh="由银行告知，例如 compliance, trade。银行只得到每一项的分数，看不到背后的数据。",
        en="The bank tells you, such as compliance, trade. It sees a score for each, never the "
        "data behind it.",
    ),
    "chains": Text(zh="在哪些征信链查询", en="Chains that may be asked"),
    "days": Text(zh="有效天数", en="Days that it holds"),
    "uses": Text(zh="每条链可查询次数", en="Queries in each chain"),
    "uses_hint": Text(
        zh="单次审批填 1；贷后管理按月查询可填 12。",
        en="1 for one decision; 12 for a year of monthly looks at a loan.",
    ),
    "more": Text(zh="银行另有要求时", en="Only if the bank asks for it"),
    "disclosed": Text(zh="可披露数据项（以逗号分隔）", en="Features that may show, by commas"),
    "disclosed_hint": Text(
        zh="列出的数据项可能从分数中推知，例如 courts.dishonest。一般留空。",
        en="What you list may be told from the score, such as courts.dishonest. Usually none.",
    ),
    "named": Text(zh="须告知企业名称的数据方", en="Holders that are told your name"),
    "named_hint": Text(
        zh="法律要求知晓被查询企业的数据方；不勾选时，使用该数据方的模型不能查询。",
        en="Holders that must know by law who is asked about. A model that uses one cannot ask "
        "unless you tick it.",
    ),
    "sign": Text(zh="签署", en="Sign"),
    "means": Text(zh="这意味着什么", en="What it means"),
    "means_bank": Text(
        zh="该银行得到一个分数记录：上面列出的评分项，以及有几家数据方了解本企业。",
        en="The bank gets a score record: the fields above, and how many holders know your firm.",
    ),
    "means_data": Text(
        zh="原始数据不离开各数据方；数据方不知道查询的是哪家企业。",
        en="Raw data stays with each holder, and holders do not learn which firm is asked about.",
    ),
    "means_log": Text(
        zh="每次查询都记入多方日志，您可在“谁查询过”中看到，也可随时撤销授权。",
        en="Each query stands in several logs. You see it under “Who asked”, and can cancel "
        "whenever you like.",
    ),
    "no_chain": Text(
        zh="本机还没有登记征信链，请运行：yinxin enterprise connect",
        en="This machine knows no chain yet; run: yinxin enterprise connect",
    ),
    "no_members": Text(
        zh="平台未答复，暂时无法列出银行。请稍后重试。",
        en="The hub does not answer, so banks cannot be listed. Try again later.",
    ),
    "need_bank": Text(zh="请选择银行", en="Choose a bank"),
    "need_purpose": Text(zh="请选择用途", en="Choose a purpose"),
    "need_fields": Text(
        zh="请填写银行告知的评分项，不含空格", en="Enter the fields the bank named, without blanks"
    ),
    "need_chains": Text(zh="请至少选择一条链", en="Choose at least one chain"),
    "need_days": Text(zh="请填写 1 至 3660 的整数", en="A whole number from 1 to 3660"),
    "need_uses": Text(zh="请填写 1 至 10000 的整数", en="A whole number from 1 to 10000"),
    "need_disclosed": Text(zh="数据项写作 种类.名称", en="Write features as kind.name"),
}

ASKED: Final[dict[str, Text]] = {
    "title": Text(zh="谁查询过", en="Who asked"),
    "lead": Text(
        zh="凭您的授权完成的每一次查询。数据来自各链平台，可与监管日志核对。",
        en="Every query under your consents, as the hubs of your chains list it; an inspector can "
        "check it against the logs.",
    ),
    "fetch": Text(zh="立即更新", en="Fetch now"),
    "none": Text(
        zh="还没有银行查询过本企业。查询完成后一分钟内会显示在这里。",
        en="No bank has asked about your firm. A query shows here within a minute.",
    ),
    "time": Text(zh="时间", en="Time"),
    "bank": Text(zh="银行", en="Bank"),
    "purpose": Text(zh="用途", en="Purpose"),
    "fields": Text(zh="评分项", en="Score fields"),
    "consent": Text(zh="授权", en="Consent"),
    "chain": Text(zh="征信链", en="Chain"),
    "permit": Text(zh="许可", en="Permit"),
    "epoch": Text(zh="数据期", en="Epoch"),
    "dispute": Text(zh="提出异议", en="Dispute"),
    "by_month": Text(zh="近 12 个月查询次数", en="Queries in 12 months"),
    "unit": Text(zh="次", en="queries"),
    "month_count": Text(zh="近 30 天", en="Last 30 days"),
    "year_count": Text(zh="近 12 个月", en="Last 12 months"),
    "banks": Text(zh="查询过的银行", en="Banks that asked"),
    "others": Text(zh="其他", en="others"),
    "list": Text(zh="查询记录", en="Queries"),
    "unreached": Text(zh="平台未答复：{chain}", en="The hub of {chain} does not answer"),
}

DISPUTES: Final[dict[str, Text]] = {
    "title": Text(zh="异议", en="Disputes"),
    "lead": Text(
        zh="认为数据方掌握的本企业信息有误时，可提出异议；数据方须在 20 天内书面答复。"
        "内容只有该数据方能读，平台看不到。",
        en="If you think that a holder's data on your firm are wrong, dispute them: it must answer "
        "in writing within 20 days. Only that holder can read it; the hub cannot.",
    ),
    "open": Text(zh="提出异议", en="Open a dispute"),
    "none": Text(
        zh="没有异议。若某次查询的结果与实际不符，可从“谁查询过”或此处提出。",
        en="No dispute. If a result does not fit your firm, open one here or from “Who asked”.",
    ),
    "with": Text(zh="对{holder}的异议", en="Dispute with {holder}"),
    "opened": Text(zh="提出时间", en="Opened"),
    "holder": Text(zh="数据方", en="Holder"),
    "about": Text(zh="涉及", en="About"),
    "state": Text(zh="状态", en="State"),
    "due": Text(zh="答复期限", en="Answer due by"),
    "days_left": Text(zh="还有 {days} 天", en="{days} days left"),
    "last_day": Text(zh="今天到期", en="due today"),
    "overdue": Text(zh="已逾期", en="overdue"),
    "overdue_lead": Text(
        zh="数据方未在期限内答复，监管机构的审计会记录此事，您也可向监管机构投诉。",
        en="The holder did not answer in time. The regulator's audit shows it; you may also turn "
        "to the regulator.",
    ),
    "outcome": Text(zh="结果", en="Outcome"),
    "statement": Text(zh="您的陈述", en="What you said"),
    "answer": Text(zh="数据方的答复", en="The holder's answer"),
    "no_answer_yet": Text(
        zh="尚未答复。本机每两小时查询一次，也可立即查询。",
        en="None yet. This machine looks every two hours, or now if you like.",
    ),
    "look": Text(zh="立即查询", en="Look now"),
    "send_again": Text(zh="重新发送", en="Send again"),
    "unsent_lead": Text(
        zh="已在本机签署，尚未送达数据方。", en="Signed here, not delivered to the holder yet."
    ),
    "refused_lead": Text(zh="数据方未受理：", en="The holder did not take it: "),
    "proof": Text(zh="下载凭证", en="Download the proof"),
    "proof_lead": Text(
        zh="数据方签名的答复及其日志承诺，可交给监管机构核验。",
        en="The holder's signed word with its log's promise, for whoever settles it.",
    ),
    "number": Text(zh="异议编号", en="Dispute"),
    "query": Text(zh="涉及的查询", en="Query"),
    "features": Text(zh="涉及的数据项", en="Features"),
    "course": Text(zh="进度", en="Course"),
    "signed": Text(zh="签署并保存", en="Signed and kept"),
    "received": Text(zh="数据方收到", en="Received by the holder"),
    "answered": Text(zh="数据方答复", en="Answered by the holder"),
    "answered_late": Text(zh="数据方逾期答复", en="Answered late"),
    "due_step": Text(zh="最迟答复日", en="Last day for the answer"),
    "failed": Text(
        zh="未能送达或查询：{problem}。异议已保存，可稍后重试。",
        en="Not reached: {problem}. The dispute is kept; try again later.",
    ),
}

OPENING: Final[dict[str, Text]] = {
    "title": Text(zh="提出异议", en="Open a dispute"),
    "which": Text(zh="先选择数据方", en="First choose the holder"),
    "which_lead": Text(
        zh="异议发给掌握该信息的数据方。", en="A dispute goes to the holder that has the data."
    ),
    "holder": Text(zh="数据方", en="Holder"),
    "chain": Text(zh="征信链", en="Chain"),
    "next": Text(zh="下一步", en="Next"),
    "features": Text(zh="有误的数据项", en="Features that are wrong"),
    "features_hint": Text(
        zh="至少选一项，最多 8 项；数据方据此核对来源。",
        en="One at least, 8 at most: the holder checks its source for them.",
    ),
    "query": Text(zh="针对的查询", en="About a query"),
    "query_hint": Text(
        zh="提交后，数据方会知道它应答过的这一次查询是关于本企业的，并由此知道是哪家银行。"
        "不想告知请取消勾选。",
        en="The holder then knows that this query, which it answered, was about your firm, and so "
        "which bank asked. Untick it if you do not want that.",
    ),
    "content": Text(zh="异议内容", en="Your statement"),
    "statement": Text(zh="哪里有误，依据是什么", en="What is wrong, and what shows it"),
    "statement_hint": Text(
        zh="不超过 800 个汉字。请写明期间、正确的情况和凭证编号。",
        en="2,400 letters at most. Name the period, what is right, and the papers that show it.",
    ),
    "send": Text(zh="签署并发送", en="Sign and send"),
    "change": Text(zh="换一个数据方", en="Another holder"),
    "no_members": Text(
        zh="平台未答复，暂时无法列出数据方。请稍后重试。",
        en="The hub does not answer, so holders cannot be listed. Try again later.",
    ),
    "need_features": Text(
        zh="请选择 1 至 8 项数据项", en="Choose one feature at least, and 8 at most"
    ),
    "need_statement": Text(
        zh="请填写 1 至 800 个汉字，不含控制字符",
        en="Write at least something and 2,400 letters at most, without control characters",
    ),
    "no_features": Text(
        zh="目录中没有该数据方的数据项，请从“谁查询过”针对一次查询提出异议。",
        en="The catalogue has no feature of this holder: open a dispute from “Who asked”, about a "
        "query.",
    ),
}

KEYS: Final[dict[str, Text]] = {
    "title": Text(zh="密钥与证书", en="Keys and certificates"),
    "lead": Text(
        zh="私钥只在本机目录中，平台从不接触。证书由登记机关签发。",
        en="The private keys are in this machine's folder alone; the hub never has them. The "
        "licence authority certified them.",
    ),
    "firm": Text(zh="企业", en="Enterprise"),
    "uscc": Text(zh="统一社会信用代码", en="Unified social credit code"),
    "authority": Text(zh="登记机关", en="Licence authority"),
    "folder": Text(zh="目录", en="Folder"),
    "consent_key": Text(zh="授权签名密钥", en="Key that signs consents"),
    "tls_key": Text(zh="连接平台的密钥", en="Key that reaches hubs"),
    "ends": Text(zh="证书到期", en="Certificate ends"),
    "days_left": Text(zh="还有 {days} 天", en="{days} days left"),
    "fingerprint": Text(zh="证书指纹（SHA-256）", en="Fingerprint (SHA-256)"),
    "renew": Text(
        zh="即将到期：把 request.json 送交登记机关，收到新文件后运行 yinxin enterprise join。",
        en="It ends soon: send request.json to the licence authority, and run yinxin enterprise "
        "join with what comes back.",
    ),
    "chains": Text(zh="征信链", en="Chains"),
    "hub": Text(zh="平台", en="Hub"),
    "address": Text(zh="地址", en="Address"),
    "no_chain": Text(
        zh="还没有登记征信链，请运行：yinxin enterprise connect",
        en="No chain yet; run: yinxin enterprise connect",
    ),
    "connect": Text(
        zh="登记或更改：yinxin enterprise connect --hub 地址 --hub-id 标识 --trust trust.json",
        en="To add or change one: yinxin enterprise connect --hub HOST:PORT --hub-id ID "
        "--trust trust.json",
    ),
}
