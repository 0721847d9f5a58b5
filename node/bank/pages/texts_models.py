"""What the pages of a model's developer say, in both languages."""

from __future__ import annotations

from typing import Final

from scoring.documents import Text

Words = dict[str, Text]

STATES: Final[Words] = {
    "valid": Text(zh="有效", en="Valid"),
    "withdrawn": Text(zh="已撤回", en="Withdrawn"),
    "expired": Text(zh="已过期", en="Expired"),
}
FORMS: Final[Words] = {
    "sealed": Text(zh="加密（本行私有）", en="Sealed: the bank's own"),
    "open": Text(zh="公开评分卡", en="Open scorecard"),
}

MODEL: Final[Words] = {
    "title": Text(zh="模型", en="Models"),
    "lead": Text(
        zh="已认证的模型：状态、安装与准备情况。评分卡内容只对模型开发人员可见。",
        en="Certified models, where they are installed and prepared. What is in a scorecard is "
        "shown to model developers only.",
    ),
    "model": Text(zh="模型", en="Model"),
    "chain": Text(zh="征信链", en="Chain"),
    "state": Text(zh="状态", en="State"),
    "form": Text(zh="形式", en="Form"),
    "certified": Text(zh="认证时间", en="Certified"),
    "until": Text(zh="有效期至", en="Valid until"),
    "installed": Text(zh="已安装", en="Installed"),
    "prepared": Text(zh="已准备（期：桶）", en="Prepared (epoch: buckets)"),
    "certify": Text(zh="认证评分卡", en="Certify a scorecard"),
    "none": Text(
        zh="还没有模型。上传评分卡，先自查，再送监管认证。",
        en="No model yet. Upload a scorecard, check it here, then submit it to the regulator.",
    ),
    "refused": Text(zh="未通过认证的送审", en="Refused submissions"),
    "refused_at": Text(zh="决定时间", en="Decided"),
    "report": Text(zh="审查报告", en="Policy report"),
    "report_html": Text(zh="下载报告（网页）", en="Report as a page"),
    "report_pdf": Text(zh="下载报告（PDF）", en="Report as PDF"),
    "no_report": Text(
        zh="本节点没有该报告所依据的数据目录，无法绘制。",
        en="The catalogue that the report is by is not at this node, so it cannot be drawn.",
    ),
    "certificate": Text(zh="证书", en="Certificate"),
    "hash": Text(zh="证书哈希", en="Hash"),
    "catalogue": Text(zh="数据目录版本", en="Catalogue"),
    "valid_from": Text(zh="生效", en="Valid from"),
    "counted": Text(zh="计入历史至", en="Counts until"),
    "counted_hint": Text(
        zh="此前送审的评分卡将与该模型一并审查。",
        en="Until then later scorecards are judged together with it.",
    ),
    "disclosed": Text(zh="须披露的特征", en="Features that it discloses"),
    "scorecard": Text(zh="评分卡", en="Scorecard"),
    "field": Text(zh="评分项", en="Field"),
    "step": Text(zh="每单位分值", en="Points a unit"),
    "features": Text(zh="特征数", en="Features"),
    "range": Text(zh="分值范围", en="Score points"),
    "reason": Text(zh="原因代码", en="Reason"),
    "holders": Text(zh="数据方", en="Holders"),
    "kind": Text(zh="类别", en="Kind"),
    "told": Text(zh="依法须告知企业身份", en="Told the firm by law"),
    "preparation": Text(zh="准备盲评估表", en="Preparation"),
    "preparation_hint": Text(
        zh="安装到尚未安装的数据方，并取回当前数据期的全部盲评估表；已取回的不再取。",
        en="Installs where it is missing, and fetches the tables of the open epoch; what is here "
        "is not fetched again.",
    ),
    "epoch": Text(zh="数据期", en="Epoch"),
    "buckets": Text(zh="桶", en="buckets"),
    "no_epoch": Text(
        zh="没有适用的开放数据期：等待平台开放。",
        en="No epoch is open for this model: wait until the hub opens one.",
    ),
    "prepare": Text(zh="安装并准备", en="Install and prepare"),
    "preparing": Text(zh="准备进度", en="Progress"),
    "preparing_now": Text(
        zh="正在安装并准备：{done} / {total} 桶，已取回 {size}",
        en="Under way: {done} of {total} buckets, {size} fetched",
    ),
    "prepared_now": Text(zh="准备完成", en="Prepared"),
    "failed": Text(zh="准备失败", en="Preparation failed"),
    "withdraw": Text(zh="撤回模型", en="Withdraw the model"),
    "withdraw_hint": Text(
        zh="撤回后不可恢复：任何一方都不再应答该模型的查询。操作记入日志。",
        en="For ever: nobody answers under it any more. It stands in the log, with your account.",
    ),
    "sure": Text(zh="我确认永久撤回 {name}", en="Yes, withdraw {name} for ever"),
    "not_sure": Text(zh="请勾选确认", en="Tick this to confirm"),
    "withdrawn_at": Text(zh="撤回时间", en="Withdrawn"),
    "nothing": Text(zh="无", en="none"),
    "yes": Text(zh="是", en="yes"),
    "no": Text(zh="否", en="no"),
}

CERTIFY: Final[Words] = {
    "title": Text(zh="认证评分卡", en="Certify a scorecard"),
    "lead": Text(
        zh="先在本节点自查，内容不外发；确认后再加密送监管认证。",
        en="It is checked here first, and nothing leaves the node; then it goes sealed to the "
        "regulator.",
    ),
    "file": Text(zh="评分卡（JSON）", en="Scorecard (JSON)"),
    "file_hint": Text(
        zh="yinxin-scorecard/1；由 yinxin model import 从 optbinning、PMML 等生成。",
        en="yinxin-scorecard/1, as yinxin model import makes it from optbinning, PMML and others.",
    ),
    "chain": Text(zh="征信链", en="Chain"),
    "form": Text(zh="形式", en="Form"),
    "days": Text(zh="有效天数（1–366）", en="Valid for days (1–366)"),
    "check": Text(zh="自查", en="Check it"),
    "checking": Text(zh="正在自查", en="Checking"),
    "remedies": Text(
        zh="未通过，正在寻找修改方案：{done} / {total}",
        en="It does not pass; looking for changes that help: {done} of {total}",
    ),
    "rules": Text(zh="正在按规则审查", en="Policy is applied"),
    "check_title": Text(zh="自查结果：{name}", en="Check of {name}"),
    "check_note": Text(
        zh="按协议默认阈值、连同本行 {count} 个历史模型审查；监管方的阈值可能更严。",
        en="By the protocol's own thresholds, with {count} earlier models of this bank; a "
        "regulator may have stricter ones.",
    ),
    "submit": Text(zh="送监管认证", en="Submit to the regulator"),
    "submit_anyway": Text(zh="仍然送审", en="Submit it all the same"),
    "again": Text(zh="换一个文件", en="Another file"),
    "mended": Text(zh="下载修改后的评分卡", en="The mended scorecard"),
    "submitted": Text(zh="已送审：{name}", en="Submitted: {name}"),
    "ahead": Text(
        zh="前有 {ahead} 份送审，已用 {seconds} 秒",
        en="{ahead} submissions ahead, {seconds} s so far",
    ),
    "judging": Text(
        zh="监管规则审查中，已用 {seconds} 秒", en="The regulator judges, {seconds} s so far"
    ),
    "bundles": Text(
        zh="已通过，正在取回密钥与权重：{done} / {total}",
        en="Passed; keys and weights come in: {done} of {total}",
    ),
    "sent": Text(zh="已送出，等待监管方", en="Sent; the regulator has it"),
    "refused": Text(zh="监管未通过", en="The regulator refuses it"),
    "refused_hint": Text(
        zh="按报告修改后重新送审。", en="Mend what the report lists and submit again."
    ),
    "certified": Text(zh="认证通过", en="Certified"),
    "to_model": Text(zh="打开模型", en="Open the model"),
}

DRIFT: Final[Words] = {
    "title": Text(zh="模型监测", en="Models in use"),
    "lead": Text(
        zh="每个模型各期的得分分布、稳定性（PSI）与结果。每户每期取最近一次查询。",
        en="By model and epoch: how scores are spread, whether they are stable (PSI), and what "
        "became of the firms. A firm counts once an epoch.",
    ),
    "compute": Text(zh="重新计算", en="Compute anew"),
    "computing": Text(
        zh="正在计算：{done} / {total} 条查询", en="Reading: {done} of {total} queries"
    ),
    "computed": Text(
        zh="计算于 {time}，基于 {answers} 次查询", en="Computed {time} from {answers} queries"
    ),
    "none": Text(
        zh="尚无可监测的查询，或尚未计算。点击“重新计算”。",
        en="Nothing has been computed yet, or no query answered. Press “Compute anew”.",
    ),
    "psi": Text(zh="PSI：对照{against}", en="PSI against {against}"),
    "development": Text(zh="开发样本", en="development"),
    "first_epoch": Text(zh="首个数据期", en="the first epoch"),
    "score_psi": Text(zh="信用分", en="Score"),
    "dimension": Text(zh="评分项", en="Dimension"),
    "dimensions": Text(zh="各评分项 PSI，第 {epoch} 期", en="PSI of each dimension, epoch {epoch}"),
    "mean": Text(zh="平均分", en="Mean score"),
    "points": Text(zh="分", en="points"),
    "grades": Text(zh="等级分布", en="Grades"),
    "firms": Text(zh="企业数", en="Firms"),
    "thin": Text(zh="数据不足", en="Thin files"),
    "epoch": Text(zh="数据期", en="Epoch"),
    "stable": Text(zh="稳定", en="Stable"),
    "moving": Text(zh="偏移", en="Moving"),
    "changed": Text(zh="显著变化", en="Changed"),
    "convention": Text(
        zh="惯例：PSI 低于 0.1 稳定，0.25 起为显著变化；样本少时不超过随机水平两倍的记为稳定。",
        en="By convention PSI below 0.1 is stable, from 0.25 changed; with few firms, up to twice "
        "what chance gives counts as stable.",
    ),
    "outcomes": Text(zh="已知结果（违约）", en="Outcomes known (bad)"),
    "calibration": Text(zh="校准：等级违约率", en="Calibration: default rate by grade"),
    "grade": Text(zh="等级", en="Grade"),
    "bad": Text(zh="违约", en="Bad"),
    "expected": Text(zh="模型违约率", en="Expected"),
    "observed": Text(zh="实际违约率（95% 区间）", en="Observed (95 % interval)"),
    "agrees": Text(zh="一致", en="agrees"),
    "differs": Text(zh="不一致", en="differs"),
    "no_outcomes": Text(
        zh="尚无已知结果；用 yinxin model outcomes 导入后显示 AUC、KS 与校准。",
        en="No outcomes are known. After yinxin model outcomes there are AUC, KS and calibration.",
    ),
    "shift": Text(zh="均值偏移（分）", en="Mean shift, points"),
}

DEVELOPMENT: Final[Words] = {
    "title": Text(zh="模型开发", en="Developments"),
    "lead": Text(
        zh="用加密标签在各数据方开发模型的进度；标签与计数从不以明文离开本行。",
        en="Models that are developed on encrypted labels, and how far each is. Labels never leave "
        "the bank in the clear.",
    ),
    "none": Text(
        zh="没有开发任务。用 yinxin model develop 发起。",
        en="None. Begin one with yinxin model develop.",
    ),
    "name": Text(zh="名称", en="Name"),
    "begun": Text(zh="发起时间", en="Begun"),
    "state": Text(zh="状态", en="State"),
    "labels": Text(zh="标签（好 / 坏）", en="Labels (good / bad)"),
    "installed": Text(zh="标签已送达", en="Labels delivered"),
    "received": Text(zh="已收计数", en="Counts received"),
    "epoch": Text(zh="数据期", en="Epoch"),
    "asked": Text(zh="已送审", en="Submitted"),
    "certified": Text(zh="已批准", en="Certified"),
    "counting": Text(zh="计数中", en="Counting"),
    "complete": Text(zh="计数完成", en="Counts complete"),
}
