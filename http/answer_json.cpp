#include "http/answer_json.h"

#include <chrono>

#include "http/json_writer.h"
#include "http/request_metrics.h"

namespace xcloud {
namespace {

constexpr int kMillisecondDecimals = 3;
constexpr int kSecondDecimals = 6;

void WriteExplain(JsonWriter& json, const InferenceResult& result, Duration elapsed) {
  const StageTimes& stages = result.stages;
  const auto milliseconds = [&json](std::string_view key, Duration d) {
    json.Key(key).Fixed(ToMilliseconds(d), kMillisecondDecimals);
  };
  json.Key("explain").BeginObject();
  json.Key("model").String(result.model).Key("version").String(result.version);
  json.Key("lane").String(result.lane);
  json.Key("batch").Integer(static_cast<std::int64_t>(result.batch_items));
  milliseconds("decode_ms", DecodeTime(stages));
  milliseconds("queue_ms", QueueTime(stages));
  milliseconds("staging_ms", StagingTime(stages));
  milliseconds("infer_ms", InferTime(stages));
  milliseconds("total_ms", elapsed);
  json.EndObject();
}

}  // namespace

std::string WriteAnswer(const InferenceResult& result, const AnswerForm& form,
                        const AnswerOptions& options) {
  std::string out;
  out.reserve(128 + result.predictions.size() * 96);
  JsonWriter json(out);
  json.BeginObject().Key("code").Integer(0).Key("msg").String("success");
  json.Key("data").BeginArray();
  for (const Prediction& prediction : result.predictions) {
    json.BeginObject().Key(form.label_key).String(prediction.label);
    if (!form.index_key.empty()) json.Key(form.index_key).Integer(prediction.index);
    json.Key(form.probability_key).Fixed(double{prediction.probability}, form.decimals);
    json.EndObject();
  }
  json.EndArray();
  json.Key("elapse").Fixed(std::chrono::duration<double>(options.elapsed).count(), kSecondDecimals);
  if (result.synthetic) json.Key("synthetic").Bool(true);
  if (options.explain) WriteExplain(json, result, options.elapsed);
  json.EndObject();
  return out;
}

std::string ServerTiming(const StageTimes& stages) {
  std::string out = "decode;dur=";
  AppendFixed(out, ToMilliseconds(DecodeTime(stages)), kMillisecondDecimals);
  out += ", queue;dur=";
  AppendFixed(out, ToMilliseconds(QueueTime(stages)), kMillisecondDecimals);
  out += ", infer;dur=";
  AppendFixed(out, ToMilliseconds(InferTime(stages)), kMillisecondDecimals);
  return out;
}

}  // namespace xcloud
