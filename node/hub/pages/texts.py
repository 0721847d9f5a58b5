"""What the hub's pages say."""

from __future__ import annotations

from typing import Final

from federation.identity import Role
from federation.purpose import PURPOSE_TITLES, Purpose
from node.hub.reach import Reach
from scoring.documents import Text

PURPOSES: Final[dict[str, Text]] = {
    purpose.value: Text(zh=PURPOSE_TITLES[purpose]["zh"], en=PURPOSE_TITLES[purpose]["en"])
    for purpose in Purpose
}

ROLES: Final[dict[Role, Text]] = {
    Role.HUB: Text(zh="平台", en="Hub"),
    Role.REGULATOR: Text(zh="监管机构", en="Regulator"),
    Role.BANK: Text(zh="银行", en="Bank"),
    Role.HOLDER: Text(zh="数据方", en="Data holder"),
}

REACH: Final[dict[Reach, tuple[Text, str]]] = {
    Reach.SERVING: (Text(zh="可应答", en="answering"), "good"),
    Reach.NOT_SERVING: (Text(zh="在线，暂停应答", en="reached, not answering"), "warn"),
    Reach.AWAY: (Text(zh="无法连接", en="not reached"), "bad"),
}

EPOCHS: Final[dict[str, tuple[Text, str]]] = {
    "announced": (Text(zh="待开放", en="announced"), "warn"),
    "open": (Text(zh="开放", en="open"), "good"),
    "closed": (Text(zh="已关闭", en="closed"), "soft"),
}

CREDENTIALS: Final[dict[str, tuple[Text, str]]] = {
    "valid": (Text(zh="有效", en="valid"), "good"),
    "ending": (Text(zh="即将到期", en="ends soon"), "warn"),
    "ended": (Text(zh="已到期", en="ended"), "bad"),
    "later": (Text(zh="尚未生效", en="not begun"), "soft"),
}

CONSENT_STATES: Final[dict[str, Text]] = {
    "valid": Text(zh="有效", en="in force"),
    "used": Text(zh="次数已用完", en="used up"),
    "expired": Text(zh="已到期", en="expired"),
    "cancelled": Text(zh="已撤销", en="cancelled"),
    "erased": Text(zh="已按期销毁", en="erased"),
}
CONSENT_TONES: Final[dict[str, str]] = {
    "valid": "good",
    "used": "soft",
    "expired": "soft",
    "cancelled": "bad",
    "erased": "soft",
}

PIN_STATES: Final[dict[str, tuple[Text, str]]] = {
    "pinned": (Text(zh="已信任", en="pinned"), "good"),
    "expired": (Text(zh="信任已过期", en="pin expired"), "bad"),
    "withdrawn": (Text(zh="已撤销信任", en="pin withdrawn"), "soft"),
}

OVERVIEW: Final[dict[str, Text]] = {
    "title": Text(zh="平台概览", en="Overview"),
    "lead": Text(
        zh="本链此刻的运行情况。平台看不到数据、模型和分数，只看到谁在何时、以何用途查询。",
        en="How the chain is doing now. The hub sees no data, no model and no score: only who asks "
        "when, and for what purpose.",
    ),
    "well": Text(zh="运行正常", en="All is well"),
    "problems": Text(zh="{count}项需要处理", en="{count} things need attention"),
    "queries_today": Text(zh="今日查询", en="Queries today"),
    "passed_on": Text(zh="转往其他链{count}次", en="{count} passed on to other chains"),
    "enterprises": Text(zh="名录企业", en="Enterprises"),
    "members": Text(zh="成员", en="Members"),
    "consents": Text(zh="有效授权", en="Consents in force"),
    "epoch_open": Text(zh="开放的数据期", en="Open epochs"),
    "none_open": Text(zh="无", en="none"),
    "by_day": Text(zh="每日查询（近30日）", en="Queries by day, 30 days"),
    "by_purpose": Text(zh="按用途（近30日）", en="By purpose, 30 days"),
    "unit": Text(zh="次", en="queries"),
    "others": Text(zh="其他银行", en="other banks"),
    "holders": Text(zh="数据方", en="Data holders"),
    "asking": Text(zh="正在连接各数据方…", en="Asking each holder…"),
    "no_holders": Text(
        zh="尚无数据方。监管机构批准后，用 yinxin hub member add 加入。",
        en="No data holder yet. Once the regulator enrolled one, add it: yinxin hub member add.",
    ),
    "log": Text(zh="日志与见证", en="Log and witnesses"),
    "entries": Text(zh="日志条目", en="Entries"),
    "cosigned": Text(zh="已获法定数量见证", en="Cosigned by a quorum"),
    "checkpoint_age": Text(zh="最近检查点", en="Newest checkpoint"),
    "ago": Text(zh="{seconds}秒前", en="{seconds} s ago"),
    "disagreeing": Text(zh="见证不一致", en="Witnesses that disagree"),
    "witness": Text(zh="见证方", en="Witness"),
    "witnessed": Text(zh="见证至", en="Cosigned up to"),
    "at": Text(zh="时间", en="Time"),
    "no_witness": Text(
        zh="尚无见证方签署过检查点。", en="No witness has cosigned a checkpoint yet."
    ),
    "database": Text(zh="数据库", en="Database"),
    "database_ok": Text(zh="可写", en="writable"),
    "database_bad": Text(zh="不可写", en="cannot be written"),
    "epochs": Text(zh="数据期", en="Epochs"),
    "epoch": Text(zh="数据期", en="Epoch"),
    "state": Text(zh="状态", en="State"),
    "opens": Text(zh="开放", en="Opens"),
    "closes": Text(zh="关闭", en="Closes"),
    "arrived": Text(zh="已提交数据方", en="Holders that sent data"),
    "no_epochs": Text(
        zh="尚未公布数据期。名录和目录就绪后运行 yinxin hub epoch announce。",
        en="No epoch is announced. Once there are a roster and a catalogue, run "
        "yinxin hub epoch announce.",
    ),
    "peers": Text(zh="其他链", en="Other chains"),
    "directory_of": Text(zh="目录取得于{time}", en="directory of {time}"),
    "no_directory": Text(zh="从未取得目录", en="no directory yet"),
    "online": Text(zh="{all}个成员中{count}个在线", en="{count} of {all} others online"),
    "fault_log": Text(zh="日志已停止：{fault}", en="The log stopped: {fault}"),
    "fault_witness": Text(
        zh="日志未获见证，节点暂停应答；检查见证方是否在线。",
        en="The log is not witnessed and the node answers nothing; see whether witnesses are up.",
    ),
    "fault_database": Text(
        zh="数据库不可写；检查磁盘空间与连接。",
        en="The database cannot be written; look at the disk and the connection.",
    ),
    "fault_disagree": Text(
        zh="{count}个见证方看到的日志与本节点不同；请立即联系监管机构。",
        en="{count} witnesses saw another log of this node; call the regulator at once.",
    ),
    "fault_epoch": Text(
        zh="没有开放的数据期，银行无法查询；开放已公布的数据期，或公布新的一期。",
        en="No epoch is open, so no bank can ask: open the announced one, or announce the next.",
    ),
    "fault_member": Text(
        zh="{count}个成员的凭证将在30日内到期；请其重新申请入链。",
        en="Credentials of {count} members end within 30 days; have them enrolled again.",
    ),
    "fault_peer": Text(
        zh="与{chain}的目录已过时或信任已过期，转发查询会被拒绝。",
        en="The directory of {chain} is stale or its pin expired: queries to it are refused.",
    ),
    "serving": Text(zh="连接", en="Reached"),
    "seen": Text(zh="最近来访", en="Last seen"),
}

MEMBERS: Final[dict[str, Text]] = {
    "title": Text(zh="成员", en="Members"),
    "lead": Text(
        zh="由监管机构批准入链的成员。来访时间指其节点最近一次向平台取链状态。",
        en="Members that the regulator enrolled. Last seen is when a member's node last asked the "
        "hub for the chain's state.",
    ),
    "member": Text(zh="成员", en="Member"),
    "role": Text(zh="角色", en="Role"),
    "credential": Text(zh="凭证", en="Credential"),
    "until": Text(zh="有效期至", en="Until"),
    "address": Text(zh="地址", en="Address"),
    "log_address": Text(zh="日志地址", en="Log address"),
    "seen": Text(zh="最近来访", en="Last seen"),
    "never": Text(zh="从未", en="never"),
    "away": Text(zh="离线", en="away"),
    "online": Text(zh="在线", en="online"),
    "kind": Text(zh="数据类别", en="Kind"),
    "id": Text(zh="标识", en="Id"),
    "how": Text(
        zh="入链与续期在命令行进行：yinxin hub member add 授予文件。",
        en="Members are added and renewed at the command line: yinxin hub member add GRANT.",
    ),
}

ROSTER: Final[dict[str, Text]] = {
    "title": Text(zh="企业名录", en="Roster"),
    "lead": Text(
        zh="参与本链的企业。新登记的企业自下一数据期起可被查询；名录只增不减。",
        en="Enterprises that take part. Those enrolled now can be asked about from the next epoch "
        "on. The roster only grows.",
    ),
    "size": Text(zh="企业数", en="Enterprises"),
    "batches": Text(zh="批次", en="Batches"),
    "root": Text(zh="名录根哈希", en="Root"),
    "find": Text(zh="查找企业", en="Find an enterprise"),
    "code": Text(zh="统一社会信用代码", en="Unified social credit code"),
    "find_button": Text(zh="查找", en="Find"),
    "found": Text(zh="已登记：第{row}行，第{batch}批。", en="Enrolled: row {row}, batch {batch}."),
    "not_found": Text(zh="不在名录中。", en="Not on the roster."),
    "bad_code": Text(
        zh="不是有效的统一社会信用代码（18位，末位为校验码）。",
        en="This is no credit code: 18 characters, the last of which is a check digit.",
    ),
    "private": Text(
        zh="查找内容不写入地址栏和日志。", en="What you look for is in no address and no log."
    ),
    "enrol": Text(zh="登记企业", en="Enrol enterprises"),
    "enrol_lead": Text(
        zh="每行一个信用代码，或 CSV 首列；先核对，再发布。",
        en="A code on each line, or a CSV file's first column. It is checked, then published.",
    ),
    "file": Text(zh="文件（UTF-8，不超过8 MB）", en="File (UTF-8, 8 MB at most)"),
    "check": Text(zh="核对", en="Check"),
    "no_file": Text(zh="请选择文件。", en="Choose a file."),
    "not_text": Text(zh="文件不是 UTF-8 文本。", en="The file is no UTF-8 text."),
    "checked": Text(zh="核对结果", en="What the file has"),
    "lines": Text(zh="有效代码", en="Codes"),
    "fresh": Text(zh="新登记", en="New"),
    "known": Text(zh="已登记", en="Enrolled already"),
    "repeated": Text(zh="文件内重复", en="Twice in the file"),
    "wrong": Text(zh="无效行", en="Wrong lines"),
    "wrong_lead": Text(
        zh="有无效行时不能发布，请改正后重新核对。",
        en="Nothing is published while a line is wrong. Correct them and check again.",
    ),
    "line": Text(zh="第{line}行", en="Line {line}"),
    "more_wrong": Text(zh="另有{count}行", en="and {count} more"),
    "invalid": Text(zh="信用代码无效", en="no credit code"),
    "publish": Text(zh="发布{count}家企业", en="Publish {count} enterprises"),
    "publish_lead": Text(
        zh="名录由{before}增至{after}家，自下一数据期起生效；登记后不能撤回。",
        en="The roster grows from {before} to {after} from the next epoch on, for good.",
    ),
    "nothing_new": Text(
        zh="文件中的企业均已登记。", en="Every enterprise of the file is enrolled."
    ),
    "history": Text(zh="发布记录", en="Batches"),
    "batch": Text(zh="批次", en="Batch"),
    "time": Text(zh="时间", en="Time"),
    "rows": Text(zh="企业", en="Enterprises"),
    "hash": Text(zh="文件哈希", en="Hash"),
    "none": Text(
        zh="尚未登记企业。上传名单后显示。",
        en="No enterprise is enrolled. Upload a list to begin.",
    ),
}

CATALOGUE: Final[dict[str, Text]] = {
    "title": Text(zh="特征目录", en="Catalogue"),
    "lead": Text(
        zh="本链可用的特征及分箱。先看影响，再公示，最后发布；发布后自下一数据期起生效。",
        en="The chain's features and their bins. Look at the impact, propose, then publish: it "
        "counts from the next epoch on.",
    ),
    "current": Text(zh="现行目录", en="Present catalogue"),
    "version": Text(zh="版本", en="Version"),
    "digest": Text(zh="哈希", en="Hash"),
    "features": Text(zh="特征", en="Features"),
    "kinds": Text(zh="数据类别", en="Kinds"),
    "none": Text(
        zh="尚未发布目录。上传目录文件后可查看影响并发布。",
        en="No catalogue is published. Upload one to look at it and publish it.",
    ),
    "feature": Text(zh="特征", en="Feature"),
    "type": Text(zh="类型", en="Type"),
    "number": Text(zh="数值", en="number"),
    "category": Text(zh="分类", en="category"),
    "unit": Text(zh="单位", en="Unit"),
    "bins": Text(zh="分箱", en="Bins"),
    "public": Text(zh="公开信息", en="public"),
    "refresh": Text(zh="更新频率", en="Refreshed"),
    "daily": Text(zh="每日", en="daily"),
    "weekly": Text(zh="每周", en="weekly"),
    "monthly": Text(zh="每月", en="monthly"),
    "yearly": Text(zh="每年", en="yearly"),
    "proposal": Text(zh="公示中的目录", en="The catalogue that is proposed"),
    "proposal_lead": Text(
        zh="第{number}号公示，版本{version}。各成员正在核对自己的评分卡和映射。",
        en="Proposal {number}, version {version}. Members are checking their scorecards and "
        "mappings against it.",
    ),
    "withdraw": Text(zh="撤回公示", en="Withdraw the proposal"),
    "upload": Text(zh="新目录", en="A new catalogue"),
    "file": Text(zh="目录文件（JSON）", en="Catalogue file (JSON)"),
    "look": Text(zh="查看影响", en="Look at the impact"),
    "impact": Text(zh="目录{version}的影响", en="What catalogue {version} changes"),
    "breaks": Text(
        zh="发布会使部分评分卡或映射失效。", en="Scorecards or mappings break when it is published."
    ),
    "whole": Text(zh="不影响任何评分卡和映射。", en="No scorecard and no mapping has to change."),
    "first": Text(
        zh="尚未发布过目录，不影响任何一方。",
        en="No catalogue is published yet: nothing can break.",
    ),
    "same": Text(zh="与现行目录没有差别。", en="It does not differ from the present one."),
    "change": Text(zh="变化", en="Change"),
    "models": Text(zh="随最后一个数据期失效的模型", en="Models that end with their last epoch"),
    "model": Text(zh="模型", en="Model"),
    "bank": Text(zh="银行", en="Bank"),
    "until": Text(zh="可用至", en="Until"),
    "touched": Text(zh="涉及的数据类别", en="Kinds that change"),
    "recertify": Text(zh="只需重新认证", en="certify it again"),
    "holders": Text(zh="数据方", en="Holders"),
    "holder": Text(zh="数据方", en="Holder"),
    "mapping": Text(zh="映射", en="Mapping"),
    "must": Text(zh="必须修改", en="must change"),
    "may": Text(zh="可以补充", en="may add"),
    "propose": Text(zh="公示", en="Propose"),
    "publish": Text(zh="发布", en="Publish"),
    "accept": Text(
        zh="我已知悉上述评分卡或映射会失效，仍要发布",
        en="I know that what is shown breaks, and publish it",
    ),
    "not_accepted": Text(
        zh="请先勾选确认，或改为公示。", en="Tick the box, or propose the catalogue instead."
    ),
    "no_file": Text(zh="请选择文件。", en="Choose a file."),
    "invalid": Text(zh="目录文件有误", en="The catalogue is wrong"),
    "history": Text(zh="目录记录", en="History"),
    "action": Text(zh="操作", en="Action"),
    "by": Text(zh="账户", en="Account"),
    "time": Text(zh="时间", en="Time"),
    "catalogue": Text(zh="发布", en="published"),
    "catalogue-proposed": Text(zh="公示", en="proposed"),
    "catalogue-proposal-withdrawn": Text(zh="撤回公示", en="proposal withdrawn"),
    "logged": Text(
        zh="公示、发布、撤回连同您的账户写入平台日志。",
        en="What you propose, publish or withdraw stands in the hub's log with your account.",
    ),
    "gone": Text(zh="取消", en="gone"),
    "added": Text(zh="新增", en="added"),
    "kind_gone": Text(zh="数据类别取消", en="kind gone"),
    "kind_new": Text(zh="数据类别新增", en="kind added"),
    "moved": Text(zh="列位置移动", en="columns moved"),
    "sense": Text(zh="方向", en="sense"),
    "title_part": Text(zh="名称", en="title"),
    "statistics": Text(zh="统计", en="statistics"),
}

CONSENTS: Final[dict[str, Text]] = {
    "title": Text(zh="授权", en="Consents"),
    "lead": Text(
        zh="企业登记、撤销或首次使用的授权。授权以随机标签显示，不显示企业。",
        en="Consents that firms registered or cancelled, or that were used first. Each has a tag "
        "of its own; which firm it is of is not shown.",
    ),
    "total": Text(zh="全部", en="All"),
    "valid": Text(zh="有效", en="In force"),
    "cancelled": Text(zh="已撤销", en="Cancelled"),
    "today": Text(zh="今日新增", en="New today"),
    "time": Text(zh="登记时间", en="Kept"),
    "state": Text(zh="状态", en="State"),
    "bank": Text(zh="银行", en="Bank"),
    "purpose": Text(zh="用途", en="Purpose"),
    "expires": Text(zh="到期", en="Expires"),
    "uses": Text(zh="已用次数", en="Uses"),
    "tag": Text(zh="标签", en="Tag"),
    "none": Text(
        zh="尚无授权。企业登记授权，或银行首次凭授权查询后显示。",
        en="No consent yet. They stand here once a firm registers one or a bank first uses one.",
    ),
}

CHAINS: Final[dict[str, Text]] = {
    "title": Text(zh="其他链", en="Other chains"),
    "lead": Text(
        zh="监管机构已信任的其他征信链，以及与之往来的查询。",
        en="Other chains that the regulator pinned, and the queries to and from them.",
    ),
    "network": Text(zh="近30日往来", en="Traffic, 30 days"),
    "chain": Text(zh="链", en="Chain"),
    "state": Text(zh="状态", en="State"),
    "until": Text(zh="信任至", en="Pinned until"),
    "sequence": Text(zh="序号", en="Sequence"),
    "address": Text(zh="平台地址", en="Hub's address"),
    "directory": Text(zh="目录取得于", en="Directory of"),
    "stale": Text(zh="已过时", en="stale"),
    "never": Text(zh="从未取得", en="never had"),
    "rows": Text(zh="对方名录", en="Firms there"),
    "out": Text(zh="转出查询", en="Queries sent"),
    "incoming": Text(zh="转入查询", en="Queries received"),
    "fingerprint": Text(zh="指纹", en="Fingerprint"),
    "problem": Text(zh="问题", en="Problem"),
    "own": Text(zh="本链", en="this chain"),
    "unit": Text(zh="次", en="queries"),
    "none": Text(
        zh="尚未与其他链互联。监管机构用 yinxin regulator chains pin 建立信任后，这里自动出现。",
        en="No other chain yet. Once the regulator pins one (yinxin regulator chains pin) it "
        "stands here by itself.",
    ),
    "max_age": Text(
        zh="目录超过{hours}小时未更新即视为过时，转发查询会被拒绝。",
        en="A directory older than {hours} hours is stale: queries to that chain are refused.",
    ),
}

USAGE: Final[dict[str, Text]] = {
    "title": Text(zh="用量", en="Usage"),
    "lead": Text(
        zh="按银行、月份和数据方统计的查询次数，可用于计费。重复提交的同一查询只计一次。",
        en="Queries by bank, month and holder, as a bill needs them. The same query sent again is "
        "counted once.",
    ),
    "month": Text(zh="月份", en="Month"),
    "show": Text(zh="查看", en="Show"),
    "bank": Text(zh="银行", en="Bank"),
    "queries": Text(zh="查询", en="Queries"),
    "passed_on": Text(zh="转往其他链", en="Passed on"),
    "answers": Text(zh="按数据方的应答", en="By holder"),
    "total": Text(zh="合计", en="All"),
    "by_month": Text(zh="近12个月查询", en="Queries by month, 12 months"),
    "table": Text(zh="{month}用量", en="Usage of {month}"),
    "unit": Text(zh="次", en="queries"),
    "others": Text(zh="其他银行", en="other banks"),
    "none": Text(zh="该月没有查询。", en="No query in this month."),
    "party": Text(zh="对象", en="Party"),
    "purpose": Text(zh="用途", en="Purpose"),
    "kind": Text(zh="类别", en="Kind"),
    "count": Text(zh="次数", en="Count"),
    "kind_query": Text(zh="查询", en="query"),
    "kind_answer": Text(zh="数据方应答", en="answer of a holder"),
    "kind_routed": Text(zh="转往其他链", en="passed on to a chain"),
}

RETENTION: Final[dict[str, Text]] = {
    "title": Text(zh="保存期限", en="Retention"),
    "lead": Text(
        zh="授权、许可和查询名单保存{years}年，期满后方可销毁；日志条目与计数长期保留。",
        en="Consents, permits and firms' lists of uses are kept for {years} years and may be "
        "erased after that. Log entries and counts stay.",
    ),
    "years": Text(zh="保存年限", en="Kept for years"),
    "keep_from": Text(zh="必须保留自", en="Must be kept from"),
    "uses": Text(zh="在存查询记录", en="Uses kept"),
    "due": Text(zh="可销毁", en="May be erased"),
    "due_lead": Text(
        zh="以下月份已过期限，在平台节点上运行命令销毁：",
        en="The term of these months is over. A command on the hub's machine erases them:",
    ),
    "nothing_due": Text(zh="没有到期内容。", en="Nothing is due."),
    "by_month": Text(zh="按月", en="By month"),
    "month": Text(zh="月份", en="Month"),
    "unit": Text(zh="条", en="uses"),
    "erased": Text(zh="销毁记录", en="What was erased"),
    "time": Text(zh="时间", en="Time"),
    "before": Text(zh="早于", en="Before"),
    "by": Text(zh="账户", en="Account"),
    "consents": Text(zh="授权", en="Consents"),
    "permits": Text(zh="许可", en="Permits"),
    "never": Text(zh="尚未销毁过任何内容。", en="Nothing was erased so far."),
}
