"""What a data holder's pages say."""

from __future__ import annotations

from typing import Final

from federation.purpose import PURPOSE_TITLES, Purpose
from node.holder.conversion import Reason
from node.holder.impact import Fault
from scoring.documents import Text

PURPOSES: Final[dict[str, Text]] = {
    purpose.value: Text(zh=PURPOSE_TITLES[purpose]["zh"], en=PURPOSE_TITLES[purpose]["en"])
    for purpose in Purpose
}

STATES: Final[dict[str, tuple[Text, str]]] = {
    "announced": (Text(zh="待导入", en="to be loaded"), "warn"),
    "loaded": (Text(zh="已导入，待平台签收", en="loaded, no receipt yet"), "warn"),
    "submitted": (Text(zh="已提交，待开放", en="submitted, not open yet"), "soft"),
    "open": (Text(zh="开放应答", en="open"), "good"),
    "late": (Text(zh="未赶上开放", en="opened without this holder"), "bad"),
    "closing": (Text(zh="关闭中，正在销毁密钥", en="closing, keys are being erased"), "warn"),
    "closed": (Text(zh="已关闭，密钥已销毁", en="closed, keys erased"), "soft"),
}
"""Of an epoch (`node.holder.status.epochs`), with the tone of its badge."""

REASONS: Final[dict[str, tuple[Text, Text]]] = {
    Reason.INVALID_USCC: (
        Text(zh="信用代码无效", en="Invalid credit code"),
        Text(
            zh="核对该列是否为18位统一社会信用代码，校验位是否正确。",
            en="Look whether the column has the code of 18 characters, and its check digit.",
        ),
    ),
    Reason.DUPLICATE_USCC: (
        Text(zh="信用代码重复", en="Credit code stands twice"),
        Text(
            zh="每家企业只保留一行；在查询中去重，取最新一条。",
            en="Keep one row a firm: choose the newest in the query.",
        ),
    ),
    Reason.NOT_A_NUMBER: (
        Text(zh="不是数字", en="Not a number"),
        Text(
            zh="去掉单位和文字；表示缺失的写法填入 missing。",
            en="Take units and words out; list what means missing under `missing`.",
        ),
    ),
    Reason.NOT_A_DATE: (
        Text(zh="不是日期", en="Not a date"),
        Text(
            zh="使 date_format 与数据写法一致；表示缺失的写法填入 missing。",
            en="Let `date_format` be how dates are written; list what means missing.",
        ),
    ),
    Reason.UNKNOWN_TEXT: (
        Text(zh="取值未映射", en="Value is not mapped"),
        Text(
            zh="在 convert.values（或 yes、no）中补充该取值，或用 rest 归入其他。",
            en="Add it to `convert.values` (or `yes`, `no`), or let `rest` take it.",
        ),
    ),
    Reason.OUT_OF_RANGE: (
        Text(zh="超出范围", en="Out of range"),
        Text(
            zh="核对单位换算；确属正常值时放宽 range。",
            en="Look at the conversion of units; widen `range` where the value is right.",
        ),
    ),
}
"""Why a row was rejected, and what to do."""

FAULTS: Final[dict[str, Text]] = {
    Fault.KIND_GONE: Text(zh="目录不再有该数据类别", en="The catalogue has no such kind any more"),
    Fault.FEATURE_GONE: Text(zh="目录中没有该特征", en="No such feature"),
    Fault.TYPE: Text(zh="类型不同", en="Another type"),
    Fault.UNIT: Text(zh="单位不同", en="Another unit"),
    Fault.RANGE: Text(zh="分类特征不能有取值范围", en="A category has no range"),
    Fault.CATEGORIES: Text(zh="目录中没有的类别", en="Categories without a bin"),
}

REFRESH: Final[dict[str, Text]] = {
    "daily": Text(zh="每日更新", en="refreshed daily"),
    "weekly": Text(zh="每周更新", en="refreshed weekly"),
    "monthly": Text(zh="每月更新", en="refreshed monthly"),
    "yearly": Text(zh="每年更新", en="refreshed yearly"),
}

DATA: Final[dict[str, Text]] = {
    "title": Text(zh="数据状态", en="Data"),
    "lead": Text(
        zh="每个数据期导入一次，导入后不可更改；开放期间应答，到期销毁密钥。",
        en="Data are loaded once an epoch and stay as they are; they answer while it is open, and "
        "their keys are erased when it is over.",
    ),
    "epoch": Text(zh="数据期", en="Epoch"),
    "state": Text(zh="状态", en="State"),
    "as_of": Text(zh="截止日", en="As of"),
    "opens": Text(zh="开放", en="Opens"),
    "closes": Text(zh="关闭", en="Closes"),
    "firms": Text(zh="名录企业", en="Firms on the roster"),
    "known": Text(zh="本方有数据", en="Known here"),
    "rejected": Text(zh="拒收行", en="Rejected rows"),
    "age": Text(zh="{days}天前", en="{days} days ago"),
    "old": Text(zh="数据偏旧", en="older than it should be"),
    "fresh": Text(zh="在更新周期内", en="as fresh as its kind is"),
    "none_loaded": Text(zh="尚未导入数据", en="No data are loaded yet"),
    "how_to_load": Text(
        zh="平台公布数据期后，在本机运行 yinxin holder epoch load；映射可先在“字段映射”页试读。",
        en="Once the hub has announced an epoch, run yinxin holder epoch load on this machine; "
        "try the mapping on the page “Mapping” before.",
    ),
    "epochs": Text(zh="数据期", en="Epochs"),
    "newest": Text(zh="最近{count}期", en="the {count} newest"),
    "trend": Text(zh="各期有数据的企业与拒收行", en="Firms known and rows rejected, by epoch"),
    "rows_unit": Text(zh="行", en="rows"),
    "features": Text(zh="特征缺失情况", en="What is missing"),
    "features_lead": Text(
        zh="第{epoch}期，占本方有数据企业的比例；变化为较上一期的百分点。",
        en="Epoch {epoch}, as a share of the firms known here; the change is in percentage points "
        "since the epoch before.",
    ),
    "feature": Text(zh="特征", en="Feature"),
    "missing": Text(zh="缺失", en="Missing"),
    "change": Text(zh="变化", en="Change"),
    "not_given": Text(zh="映射未提供", en="not in the mapping"),
    "no_features": Text(
        zh="该期导入时尚未统计缺失，下一期起显示。",
        en="Nothing was counted when this epoch was loaded; the next one will show it.",
    ),
    "models": Text(zh="为模型做的准备", en="Prepared for models"),
    "model": Text(zh="模型", en="Model"),
    "bank": Text(zh="银行", en="Bank"),
    "prepared": Text(zh="已备好分桶", en="Buckets prepared"),
    "no_models": Text(
        zh="没有在用模型；银行安装模型后显示准备进度。",
        en="No model is in use; once a bank installs one its progress stands here.",
    ),
    "rejected_title": Text(zh="第{epoch}期拒收行", en="Rejected rows of epoch {epoch}"),
    "rejected_lead": Text(
        zh="行号为数据源中的行，不含表头；不记录取值与信用代码。一行可有多处错误。",
        en="A row is its number in the source, the header left out; neither values nor credit "
        "codes are kept. A row may have several faults.",
    ),
    "by_fault": Text(zh="按原因", en="By reason"),
    "faults_unit": Text(zh="处", en="faults"),
    "row": Text(zh="行号", en="Row"),
    "column": Text(zh="列", en="Column"),
    "reason": Text(zh="原因", en="Reason"),
    "remedy": Text(zh="处理办法", en="What to do"),
    "no_rejected": Text(zh="该期没有拒收行。", en="No row of this epoch was rejected."),
    "not_kept": Text(
        zh="该期有{count}行被拒收，明细不再保留（保留最近{epochs}期），见导入时的报告文件。",
        en="{count} rows were rejected; they are listed here no more (kept for {epochs} epochs). "
        "The report file of the load has them.",
    ),
    "known_series": Text(zh="有数据", en="known"),
    "rejected_series": Text(zh="拒收", en="rejected"),
    "open_rejected": Text(zh="查看拒收明细", en="Rejected rows"),
}

MAPPING: Final[dict[str, Text]] = {
    "title": Text(zh="字段映射", en="Mapping"),
    "lead": Text(
        zh="把本单位的表变成目录中的特征。先试读，再保存；试读只在本机进行，不保存、不外传。",
        en="How your table becomes the catalogue's features. Try it, then save it: a trial reads "
        "on this machine, and keeps and sends nothing.",
    ),
    "unset": Text(zh="尚未指定映射文件", en="No mapping file is named"),
    "unset_how": Text(
        zh='在 node.toml 中加入 mapping = "mapping.toml" 并重启节点；'
        "示例见 deploy/examples/mappings。",
        en='Add mapping = "mapping.toml" to node.toml and start the node again; there are examples '
        "in deploy/examples/mappings.",
    ),
    "unreadable": Text(zh="映射文件无法读取", en="The mapping file cannot be read"),
    "file": Text(zh="文件", en="File"),
    "text": Text(zh="映射（TOML）", en="Mapping (TOML)"),
    "source_fixed": Text(
        zh="数据源的类型、路径和地址只能在本机文件中修改，页面不能改。",
        en="Type, path and address of the source are changed in the file on the machine, not here.",
    ),
    "try": Text(zh="检查并试读", en="Check and try"),
    "save": Text(zh="保存", en="Save"),
    "faults": Text(zh="{count}处需要修改", en="{count} things to correct"),
    "line": Text(zh="第{line}行", en="Line {line}"),
    "nothing_saved": Text(zh="未保存。", en="Nothing was saved."),
    "valid": Text(zh="映射与目录相符", en="The mapping fits the catalogue"),
    "no_catalogue": Text(
        zh="平台尚未公布数据期，只检查了写法，未与目录核对。",
        en="No epoch is announced yet: only how it is written was checked, not the catalogue.",
    ),
    "sample": Text(zh="试读前{rows}行", en="The first {rows} rows"),
    "would_reject": Text(zh="将拒收", en="Would be rejected"),
    "bad_codes": Text(zh="信用代码无效", en="Invalid credit codes"),
    "features": Text(zh="特征", en="Features"),
    "feature": Text(zh="特征", en="Feature"),
    "column": Text(zh="来源列", en="Column"),
    "missing": Text(zh="缺失", en="Missing"),
    "rejected": Text(zh="拒收", en="Rejected"),
    "unknown": Text(zh="无法识别的取值", en="Values not understood"),
    "bins": Text(zh="分箱", en="Bins"),
    "firm_unit": Text(zh="行", en="rows"),
    "rows": Text(zh="逐行对照", en="Row by row"),
    "rows_lead": Text(zh="上为原值，下为所入分箱。", en="The cell above, its bin below."),
    "code": Text(zh="信用代码", en="Credit code"),
    "empty_cell": Text(zh="（空）", en="(empty)"),
    "proposed": Text(zh="公示中的新目录", en="The catalogue that is proposed"),
    "proposed_fits": Text(
        zh="目录{version}发布后，本映射无需修改。",
        en="Once catalogue {version} is published, this mapping needs no change.",
    ),
    "proposed_breaks": Text(
        zh="目录{version}发布后，以下各项需要修改：",
        en="Once catalogue {version} is published, this has to change:",
    ),
    "not_given": Text(zh="目录中有、映射未提供", en="In the catalogue and not in the mapping"),
    "what": Text(zh="问题", en="What"),
    "values": Text(zh="取值", en="Values"),
    "earlier": Text(zh="此前的版本", en="Earlier versions"),
    "earlier_lead": Text(zh="与映射文件同目录，最新在前：", en="Beside the file, newest first:"),
    "conflict": Text(
        zh="他人已修改映射，请重新打开页面后再编辑。",
        en="Somebody else changed the mapping. Open the page anew and edit that.",
    ),
    "source_failed": Text(zh="数据源无法读取", en="The source cannot be read"),
}

ANSWERS: Final[dict[str, Text]] = {
    "title": Text(zh="应答记录", en="Who was answered"),
    "lead": Text(
        zh="每次应答对应平台签发的一个许可；授权标签是随机值，看不出是哪家企业。",
        en="Each answer is under one permit of the hub. A consent's tag is random here: it does "
        "not say which firm it is about.",
    ),
    "today": Text(zh="今日", en="Today"),
    "week": Text(zh="近7日", en="7 days"),
    "month": Text(zh="近30日", en="30 days"),
    "banks": Text(zh="银行数", en="Banks"),
    "period": Text(zh="统计区间", en="Period"),
    "days": Text(zh="{days}日", en="{days} days"),
    "by_day": Text(zh="每日应答", en="Answers by day"),
    "by_purpose": Text(zh="按用途", en="By purpose"),
    "unit": Text(zh="次", en="answers"),
    "others": Text(zh="其他银行", en="other banks"),
    "time": Text(zh="时间", en="Time"),
    "bank": Text(zh="银行", en="Bank"),
    "purpose": Text(zh="用途", en="Purpose"),
    "epoch": Text(zh="数据期", en="Epoch"),
    "consent": Text(zh="授权标签", en="Consent tag"),
    "permit": Text(zh="许可", en="Permit"),
    "list": Text(zh="应答明细", en="Answers"),
    "none": Text(
        zh="尚未应答过。数据期开放、银行安装模型并查询后，这里显示记录。",
        en="Nothing was answered yet. It begins when an epoch is open and a bank asks.",
    ),
}

BANKS: Final[dict[str, Text]] = {
    "title": Text(zh="银行额度与停用", en="Banks"),
    "lead": Text(
        zh="每家银行24小时内的应答上限；可随时停用任何一家，立即生效。",
        en="How many queries of each bank are answered in 24 hours. Any bank can be stopped; it "
        "counts at once.",
    ),
    "bank": Text(zh="银行", en="Bank"),
    "state": Text(zh="状态", en="State"),
    "answering": Text(zh="应答中", en="answered"),
    "stopped": Text(zh="已停用", en="stopped"),
    "used": Text(zh="24小时用量", en="Used in 24 hours"),
    "budget": Text(zh="24小时额度", en="Budget for 24 hours"),
    "default": Text(zh="默认", en="default"),
    "own": Text(zh="单独设定", en="its own"),
    "total": Text(zh="累计应答", en="Answered in all"),
    "last": Text(zh="最近应答", en="Last answer"),
    "manage": Text(zh="管理", en="Manage"),
    "none": Text(
        zh="本链尚无银行。监管机构批准入链后显示。",
        en="The chain has no bank yet. Banks stand here once the regulator has enrolled them.",
    ),
    "set_budget": Text(zh="修改额度", en="Change the budget"),
    "budget_label": Text(zh="24小时内最多应答（次）", en="Most answers in 24 hours"),
    "budget_wrong": Text(
        zh="请填写0至1,000,000,000的整数。", en="Give a whole number from 0 to 1,000,000,000."
    ),
    "stop": Text(zh="停用该银行", en="Stop this bank"),
    "stop_lead": Text(
        zh="自点击起，该银行的一切查询均被拒绝，银行收到“已被数据方停用”；其他银行不受影响。",
        en="From the click on every query of this bank is refused, and it is told that this holder "
        "stopped it. Other banks are not touched.",
    ),
    "stop_sure": Text(zh="我确认立即停用 {bank}", en="I want {bank} to be refused from now on"),
    "not_sure": Text(zh="请先勾选确认。", en="Tick the box first."),
    "resume": Text(zh="恢复应答", en="Answer again"),
    "resume_lead": Text(
        zh="该银行已停用。恢复后立即可以查询。",
        en="This bank is stopped. Once resumed, its queries are answered at once.",
    ),
    "logged": Text(
        zh="操作连同您的账户写入本节点日志，监管机构可见。",
        en="What you do stands in this node's log with your account, for the regulator to read.",
    ),
    "history": Text(zh="近30日应答", en="Answers in 30 days"),
    "unit": Text(zh="次", en="answers"),
    "all_answers": Text(zh="查看应答明细", en="See its answers"),
    "unknown": Text(zh="没有这家银行", en="There is no such bank"),
}

DISPUTES: Final[dict[str, Text]] = {
    "title": Text(zh="异议处理", en="Disputes"),
    "lead": Text(
        zh="企业对本方记录提出的异议，自收到之日起20日内核查并书面答复。内容只有本方能解开。",
        en="What firms dispute in your records: verify it and answer in writing within 20 days of "
        "receipt. Only this holder can open the content.",
    ),
    "open": Text(zh="待答复", en="Waiting"),
    "soon": Text(zh="5日内到期", en="Due within 5 days"),
    "overdue": Text(zh="已逾期", en="Overdue"),
    "dispute": Text(zh="异议", en="Dispute"),
    "state": Text(zh="状态", en="State"),
    "due": Text(zh="最后答复日", en="Answer by"),
    "received": Text(zh="收到时间", en="Received"),
    "outcome": Text(zh="处理结果", en="Outcome"),
    "answered": Text(zh="答复时间", en="Answered"),
    "by": Text(zh="答复账户", en="Answered by"),
    "none": Text(
        zh="尚无异议。企业通过自己的代理提出后显示。",
        en="No dispute yet. They stand here once a firm opens one in its own agent.",
    ),
    "one": Text(zh="异议详情", en="Dispute"),
    "left": Text(zh="剩余{days}日", en="{days} days left"),
    "firm": Text(zh="企业（统一社会信用代码）", en="Firm (credit code)"),
    "features": Text(zh="涉及特征", en="Features"),
    "query": Text(zh="涉及查询（许可）", en="Answer to the query (permit)"),
    "statement": Text(zh="企业陈述", en="What the firm says"),
    "signed": Text(zh="企业签署", en="Signed by the firm"),
    "erased": Text(
        zh="内容已按保存期限删除，日志记录保留。",
        en="The content was erased when its term was over; the log's entries stay.",
    ),
    "answer": Text(zh="答复", en="Answer"),
    "answer_lead": Text(
        zh="答复只能提交一次；由本节点签名，企业在其代理中查看。",
        en="There is one answer a dispute. This node signs it and the firm reads it in its agent.",
    ),
    "choose": Text(zh="处理结果", en="Outcome"),
    "reason": Text(zh="理由（不超过800字）", en="Reasons (800 characters at most)"),
    "send": Text(zh="提交答复", en="Send the answer"),
    "no_outcome": Text(zh="请选择处理结果。", en="Choose an outcome."),
    "bad_reason": Text(
        zh="请填写理由：不能为空，不超过800个汉字（2400字节），不含控制字符。",
        en="Give reasons: some text, 2400 bytes at most, without control characters.",
    ),
    "late": Text(
        zh="该异议已有答复，未作改动。", en="It has its answer already; nothing was changed."
    ),
    "logged": Text(
        zh="答复的哈希连同您的账户写入本节点日志。",
        en="The answer's hash stands in this node's log with your account.",
    ),
}
