#include "models/pipeline/zhihuliveeval.h"

#include <cmath>
#include <utility>

#include "core/shown_text.h"
#include "models/pipeline/run.h"

namespace xcloud {
namespace {

constexpr int kDecimals = 4;

}  // namespace

Status ZhihuLiveEval::Load() {
  const Result<std::string> rows = ReadCsv(spec_.features);
  if (rows.status().code() == StatusCode::kNotFound) {
    return Status::Unavailable("no Lives are imported: write them to " + spec_.features.string() +
                               " as CSV with the header " + LiveHeader() +
                               " and load the service again");
  }
  if (!rows.ok()) return rows.status();
  Result<LiveTable> lives = LiveTable::Parse(*rows, spec_.features.string());
  if (!lives.ok()) return lives.status();
  LiveScaler scaler = lives->OwnScaler();
  if (!spec_.scaler.empty()) {
    const Result<std::string> text = ReadCsv(spec_.scaler);
    if (!text.ok()) return Status::InvalidArgument("[pipeline] scaler: " + text.status().message());
    const Result<LiveScaler> given = ParseLiveScaler(*text, spec_.scaler.string());
    if (!given.ok()) return given.status();
    scaler = *given;
  }
  lives_ = *std::move(lives);
  scaler_ = scaler;
  return Status::Ok();
}

PipelineTask<PipelineAnswer> ZhihuLiveEval::Run(PipelineRun& run) const {
  const std::string& id = run.request().subject;
  const LiveFeatures* const features = lives_.Find(id);
  if (features == nullptr) {
    co_return PipelineAnswer::Failed(Status::NotFound("no Live " + ShownName(id) + " is imported"));
  }
  std::vector<float> inputs = scaler_.Scaled(*features);
  const Result<StageRows> rows = co_await run.Ask(kNetwork, 1, std::move(inputs));
  if (!rows.ok()) co_return PipelineAnswer::Failed(rows.status());
  if (rows->width != 1) {
    co_return PipelineAnswer::Failed(Status::Internal("zhihu_mtnet gives no single score"));
  }
  co_return PipelineAnswer::Of(AnswerValue::Fields(
      {{"id", AnswerValue::Text(id)},
       {"score", AnswerValue::Of(double{rows->values[0]}, kDecimals)},
       {"scaling", AnswerValue::Text(spec_.scaler.empty() ? "rows" : "scaler")}}));
}

}  // namespace xcloud
