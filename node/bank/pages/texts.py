"""What the bank's pages say, in both languages: one table of words a page."""

from __future__ import annotations

from typing import Final

from scoring.documents import Text

Words = dict[str, Text]

COMMON: Final[Words] = {
    "purpose": Text(zh="查询用途", en="Purpose"),
    "reference": Text(zh="业务编号", en="Reference"),
    "model": Text(zh="模型", en="Model"),
    "chain": Text(zh="征信链", en="Chain"),
    "epoch": Text(zh="数据期", en="Epoch"),
    "score": Text(zh="信用分", en="Score"),
    "grade": Text(zh="等级", en="Grade"),
    "state": Text(zh="状态", en="State"),
    "time": Text(zh="时间", en="Time"),
    "coverage": Text(zh="数据覆盖", en="Coverage"),
    "default": Text(zh="违约概率", en="Probability of default"),
    "holder": Text(zh="数据方", en="Holder"),
    "ask_party": Text(
        zh="请联系 {party}，参考号 {reference}", en="Ask {party}, number {reference}"
    ),
    "your_queries": Text(zh="我的查询", en="My queries"),
    "ask_new": Text(zh="新查询", en="New query"),
}

ASK: Final[Words] = {
    "title": Text(zh="查询企业", en="Query an enterprise"),
    "lead": Text(
        zh="凭企业授权书查询，被查企业由授权书确定。除法定须告知者外，数据方不知道查的是哪家企业。",
        en="Under the firm's consent, which says which firm it is. Holders do not learn the firm, "
        "except those that by law must.",
    ),
    "consent": Text(zh="企业授权书", en="The firm's consent"),
    "consent_file": Text(zh="授权书文件", en="Consent file"),
    "consent_text": Text(zh="或粘贴授权书全文（JWS）", en="Or paste the consent (compact JWS)"),
    "consent_hint": Text(
        zh="请使用企业签署的原件，不要改动。",
        en="As the firm signed it, unchanged.",
    ),
    "no_models": Text(
        zh="没有可用的模型：请模型开发人员先认证并安装模型。",
        en="There is no model to ask under: have the model developers certify and install one.",
    ),
    "scope": Text(zh="查询范围", en="Where to ask"),
    "scope_one": Text(zh="该模型所在的征信链", en="In the model's chain"),
    "scope_all": Text(
        zh="授权书所列、且登记了该企业的所有征信链",
        en="In every chain that the consent names and that enrols the firm",
    ),
    "partial": Text(
        zh="某条链无结果时，接受部分结果", en="Take a partial result where a chain has none"
    ),
    "reference_hint": Text(
        zh="申请或贷款的编号，可不填；不要写企业名称或证件号。",
        en="Of the application or loan; may be empty. No firm's name or code.",
    ),
    "submit": Text(zh="查询", en="Ask"),
    "costs": Text(
        zh="每次查询消耗授权书的一次使用，并记入本行与各方日志，监管可查。重复提交本表单只查询一次。",
        en="A query takes one use of the consent and stands in the logs of all parties, where the "
        "regulator reads it. Sending this form twice asks once.",
    ),
    "changed": Text(
        zh="该表单已提交过，之后内容有改动",
        en="This form was sent already, and has been changed since",
    ),
    "changed_remedy": Text(
        zh="再次提交将作为新的查询，另消耗一次授权；上次的结果见“我的查询”",
        en="Sent again it is a new query and takes another use; the first is among My queries",
    ),
    "who": Text(zh="各方得知什么", en="What each party learns"),
    "who_you": Text(zh="您", en="You"),
    "who_you_what": Text(
        zh="企业的信用分、等级、评分维度与主要原因；没有任何原始数据。",
        en="The firm's score, grade, dimensions and reasons; no holder's data.",
    ),
    "who_holders": Text(zh="数据方", en="Holders"),
    "who_holders_what": Text(
        zh="本行在该用途下作了一次查询；不知企业，不知结果。法定须告知者除外。",
        en="That this bank asked once, for this purpose; neither firm nor result. Those that by "
        "law must be told learn the firm.",
    ),
    "who_hub": Text(zh="平台", en="The hub"),
    "who_hub_what": Text(
        zh="哪份授权书被使用；不知结果与模型内容。",
        en="Which consent was used; no result, nothing of the model.",
    ),
    "who_regulator": Text(zh="监管方", en="The regulator"),
    "who_regulator_what": Text(
        zh="谁、何时、凭何授权、为何用途查询；可逐笔核验。",
        en="Who asked when, under which consent and for which purpose; each can be verified.",
    ),
    "by": Text(zh="经办人（记入日志）", en="Asked by, for the log"),
}

LIST: Final[Words] = {
    "title": Text(zh="我的查询", en="My queries"),
    "lead": Text(
        zh="您本人的查询，含批量查询；他人的查询不可见。",
        en="What you asked, batches included. Nobody else's queries are here.",
    ),
    "time": COMMON["time"],
    "reference": COMMON["reference"],
    "purpose": COMMON["purpose"],
    "model": COMMON["model"],
    "chain": COMMON["chain"],
    "score": COMMON["score"],
    "grade": COMMON["grade"],
    "state": COMMON["state"],
    "none": Text(
        zh="还没有查询。取得企业授权书后即可查询。",
        en="You have asked nothing yet. With a firm's consent you can.",
    ),
}

PROFILE: Final[Words] = {
    "title": Text(zh="企业信用画像", en="Credit profile"),
    "score": COMMON["score"],
    "epoch": COMMON["epoch"],
    "points": Text(zh="分", en="points"),
    "uscc": Text(zh="统一社会信用代码", en="Unified social credit code"),
    "asked_at": Text(zh="查询时间", en="Asked at"),
    "pd_note": Text(zh="按模型刻度，非承诺", en="by the model's scale; no promise"),
    "known_by": Text(
        zh="{coverage} / {participants} 家数据方知晓该企业",
        en="{coverage} of {participants} holders know the firm",
    ),
    "dimensions": Text(zh="评分维度", en="Dimensions"),
    "dimension": Text(zh="维度", en="Dimension"),
    "of_hundred": Text(zh="百分制", en="Of 100"),
    "gained": Text(zh="得分 / 可得分", en="Points / possible"),
    "reasons": Text(zh="主要原因", en="Reasons"),
    "reasons_lead": Text(
        zh="该分未能更高的原因，按失分从大到小。",
        en="Why the score is no higher, the costliest first.",
    ),
    "no_reasons": Text(zh="无：各维度均为满分", en="None: every dimension is at its best"),
    "thin": Text(zh="部分数据方不知晓该企业", en="some holders do not know the firm"),
    "trend": Text(zh="历期信用分", en="Score over epochs"),
    "trend_lead": Text(
        zh="您对该企业在本链的历次查询，每期取最近一次。",
        en="Your own queries about the firm in this chain, the latest of each epoch.",
    ),
    "trend_same": Text(
        zh="目前只有一个数据期的结果；下一数据期再次查询后显示走势。",
        en="Results of one epoch so far. Ask again in a later one to see how the score moves.",
    ),
    "trend_one": Text(
        zh="这是您对该企业的首次查询；下一数据期再次查询后显示走势。",
        en="Your first query about the firm. Ask again in a later epoch to see how it moves.",
    ),
    "earlier": Text(zh="历次结果", en="Earlier results"),
    "this": Text(zh="本次", en="this one"),
    "data": Text(zh="数据来源与日期", en="Where the data is from"),
    "as_of": Text(zh="数据日期", en="Data as of"),
    "told": Text(zh="是否知晓查询对象", en="Told the firm"),
    "told_yes": Text(zh="是（法定）", en="yes, by law"),
    "told_no": Text(zh="否", en="no"),
    "consent": Text(zh="授权状态", en="Consent"),
    "consent_valid": Text(zh="有效", en="Valid"),
    "consent_over": Text(zh="已到期", en="Over"),
    "consent_used_up": Text(zh="次数已用完", en="Used up"),
    "given_for": Text(zh="授权用途", en="Given for"),
    "valid_from": Text(zh="生效", en="From"),
    "expires": Text(zh="到期", en="Expires"),
    "uses": Text(zh="使用次数", en="Uses"),
    "uses_of": Text(
        zh="本行已用 {used} 次，共 {uses} 次，余 {left} 次",
        en="{used} of {uses} by this bank, {left} left",
    ),
    "cancel_note": Text(
        zh="企业可随时撤销授权；撤销登记在平台，再次查询时即被拒绝。次数以平台计数为准。",
        en="The firm may cancel it at any time. The hub knows, and refuses the next query; its "
        "count of uses decides.",
    ),
    "disclosed": Text(zh="本次查询披露了什么", en="What the query disclosed"),
    "disclosed_lead": Text(
        zh="银行最多得到下列数值，不含任何原始数据。",
        en="The bank learns these values at most, and no holder's data.",
    ),
    "field": Text(zh="评分项", en="Field"),
    "values": Text(zh="可能取值数", en="Possible values"),
    "bound": Text(zh="信息量上界", en="Information, at most"),
    "bits": Text(zh="{bits} 比特", en="{bits} bits"),
    "features": Text(zh="单独披露的特征", en="Features disclosed singly"),
    "to_holders": Text(zh="数据方得知", en="Holders learned"),
    "to_holders_blind": Text(
        zh="本行在该用途下作了一次查询；不知企业，不知结果",
        en="that this bank asked once, for this purpose; neither the firm nor the result",
    ),
    "to_holders_named": Text(
        zh="另有 {count} 家法定数据方得知企业身份", en="{count} by law also learned the firm"
    ),
    "to_hub": Text(zh="平台得知", en="The hub learned"),
    "to_hub_what": Text(
        zh="哪份授权书被使用；不知结果与模型内容", en="which consent was used; no result, no model"
    ),
    "cost": Text(zh="本次查询的成本", en="What the query cost"),
    "permits": Text(zh="查询许可", en="Permits"),
    "one_use": Text(zh="授权书使用", en="Uses of the consent"),
    "fetched": Text(zh="所用盲评估表", en="Prepared table used"),
    "fetched_shared": Text(
        zh="{size}，由同桶企业的所有查询共用", en="{size}, shared by all queries of its bucket"
    ),
    "erased": Text(zh="数据期已关闭，表已删除", en="epoch closed, table erased"),
    "evidence": Text(zh="证据", en="Evidence"),
    "evidence_lead": Text(
        zh="无需本系统即可验证：yinxin bank verify。",
        en="Anyone can verify it without this system: yinxin bank verify.",
    ),
    "evidence_plain": Text(zh="下载证据（不含企业与分数）", en="Evidence without firm and score"),
    "evidence_full": Text(zh="下载完整证据（保密）", en="Full evidence (confidential)"),
    "query_id": Text(zh="查询编号", en="Query"),
    "open_title": Text(zh="查询尚无结果", en="There is no result yet"),
    "open_lead": Text(
        zh="已发出，但有一方未应答。再次发送不会多消耗授权次数。",
        en="It was sent, and a party did not answer. Sending it again takes no second use.",
    ),
    "again": Text(zh="再次发送", en="Send it again"),
    "open_joint": Text(
        zh="没有一条链给出结果。请稍后在查询页重新查询。",
        en="No chain has given a result. Ask again later.",
    ),
    "rejected_title": Text(zh="回答未通过校验", en="The answer did not verify"),
    "rejected_lead": Text(
        zh="没有得出评分，已向监管方报告。请勿重试；等待监管方处理。",
        en="There is no score, and the regulator has been told. Do not try again; wait for word.",
    ),
    "party": Text(zh="涉及的一方", en="Whose part"),
    "found": Text(zh="校验发现", en="What was found"),
    "part_of": Text(zh="所属多链查询", en="Part of a query in several chains"),
}
JOINT: Final[Words] = {
    **PROFILE,
    "title": Text(zh="多链信用画像", en="Credit profile of several chains"),
    "partial": Text(zh="部分结果", en="Partial result"),
    "partial_note": Text(
        zh="缺少下列征信链的结果；合并分只含已答复的链。",
        en="These chains are missing; a combined score has only those that answered.",
    ),
    "combined": Text(zh="合并分", en="Combined score"),
    "combined_rule": Text(zh="规则：{rule}", en="rule: {rule}"),
    "lowest": Text(zh="取最低", en="lowest"),
    "highest": Text(zh="取最高", en="highest"),
    "mean": Text(zh="取平均", en="mean"),
    "not_combined": Text(zh="不合并", en="Not combined"),
    "not_enrolled": Text(zh="未登记该企业的链", en="Chains that do not enrol the firm"),
    "open_part": Text(zh="查看该链的画像", en="The profile in this chain"),
    "whole": Text(zh="完整结果", en="Whole result"),
    "chains": Text(zh="征信链", en="Chains"),
}

BATCH: Final[Words] = {
    "title": Text(zh="批量查询", en="Batches"),
    "lead": Text(
        zh="上传一个文件，逐行查询。中断后自动继续，不会重复计次。",
        en="A file of questions, asked line by line. One that is interrupted goes on by itself and "
        "spends no second use.",
    ),
    "upload": Text(zh="上传批次", en="Upload a batch"),
    "file": Text(zh="批次文件（CSV 或 JSONL）", en="File, CSV or JSON lines"),
    "file_hint": Text(
        zh="列：consent、purpose，可选 reference、model、chains（空格分隔或 all）、partial。",
        en="Columns consent and purpose; reference, model, chains (separated by spaces, or all) "
        "and partial where wanted.",
    ),
    "check_first": Text(
        zh="开始前检查每一行；有错误则全部不开始。",
        en="Every line is checked first. While one is wrong, none is asked.",
    ),
    "start": Text(zh="检查并开始", en="Check and start"),
    "wrong": Text(zh="{count} 行有误，批次未开始", en="Wrong lines: {count}; nothing was asked"),
    "wrong_more": Text(zh="仅列出前 {most} 行。", en="The first {most} are listed."),
    "right": Text(zh="其余 {count} 行无误。", en="Right lines: {count}."),
    "line": Text(zh="行号", en="Line"),
    "problem": Text(zh="问题", en="What is wrong"),
    "remedy": Text(zh="处理方法", en="What to do"),
    "mine": Text(zh="我的批次", en="My batches"),
    "none": Text(zh="还没有批次。", en="No batch yet."),
    "begun": Text(zh="开始时间", en="Begun"),
    "size": Text(zh="总数", en="Questions"),
    "running": Text(zh="进行中", en="Running"),
    "done": Text(zh="已完成", en="Done"),
    "cancelled": Text(zh="已终止", en="Ended early"),
    "one": Text(zh="批次 {id}", en="Batch {id}"),
    "answered": Text(zh="已答复", en="Answered"),
    "failed": Text(zh="失败", en="Failed"),
    "remaining": Text(zh="剩余", en="Remaining"),
    "not_asked": Text(zh="未查询", en="Not asked"),
    "eta": Text(zh="预计还需", en="Time left, about"),
    "seconds": Text(zh="{n} 秒", en="{n} s"),
    "minutes": Text(zh="{n} 分钟", en="{n} min"),
    "unknown": Text(zh="–", en="–"),
    "progress": Text(zh="进度", en="Progress"),
    "waiting": Text(
        zh="{chain}：{items} 笔等待中，自动重试。{why}",
        en="{chain}: {items} wait and are tried again by themselves. {why}",
    ),
    "cancel_batch": Text(zh="终止批次", en="End the batch"),
    "cancel_note": Text(
        zh="正在查询的几笔会完成，其余不再查询。",
        en="What is under way is answered; no more is asked.",
    ),
    "results": Text(zh="结果", en="Results"),
    "no_results": Text(zh="还没有结果。", en="No result yet."),
    "number": Text(zh="序号", en="No."),
    "open_query": Text(zh="画像", en="Profile"),
}
