#include "http/answer_json.h"

#include <chrono>

#include "http/answer_value_json.h"
#include "http/json_writer.h"
#include "http/request_metrics.h"

namespace xcloud {
namespace {

constexpr int kMillisecondDecimals = 3;
constexpr int kSecondDecimals = 6;

void WriteExplain(JsonWriter& json, const InferenceResult& result, const AnswerOptions& options) {
  const StageTimes& stages = result.stages;
  const auto milliseconds = [&json](std::string_view key, Duration d) {
    json.Key(key).Fixed(ToMilliseconds(d), kMillisecondDecimals);
  };
  json.Key("explain").BeginObject();
  json.Key("model").String(result.model).Key("version").String(result.version);
  json.Key("lane").String(result.lane);
  json.Key("batch").Integer(static_cast<std::int64_t>(result.batch_items));
  if (options.fetch) milliseconds("fetch_ms", *options.fetch);
  milliseconds("decode_ms", DecodeTime(stages));
  milliseconds("queue_ms", QueueTime(stages));
  milliseconds("staging_ms", StagingTime(stages));
  milliseconds("infer_ms", InferTime(stages));
  milliseconds("total_ms", options.elapsed);
  json.EndObject();
}

void WriteItem(JsonWriter& json, const Prediction& prediction, const AnswerForm& form) {
  const auto probability = [&] {
    json.Key(form.probability_key).Fixed(double{prediction.probability}, form.decimals);
  };
  json.BeginObject();
  if (form.probability_first) probability();
  json.Key(form.label_key).String(prediction.label);
  if (!form.index_key.empty()) {
    const bool known = prediction.index >= 0;
    json.Key(form.index_key).Integer(known ? prediction.index + form.index_base : prediction.index);
  }
  if (!form.probability_first) probability();
  json.EndObject();
}

}  // namespace

std::string WriteAnswer(const InferenceResult& result, const AnswerForm& form,
                        const AnswerOptions& options) {
  std::string out;
  out.reserve(128 + result.predictions.size() * 96);
  JsonWriter json(out);
  json.BeginObject().Key("code").Integer(result.code);
  json.Key("msg").String(result.message.empty() ? form.message : result.message);
  json.Key(form.data_key);
  if (result.value) {
    WriteValue(json, *result.value);
    for (const auto& [key, value] : result.beside) {
      json.Key(key);
      WriteValue(json, value);
    }
  } else {
    json.BeginArray();
    for (const Prediction& prediction : result.predictions) WriteItem(json, prediction, form);
    json.EndArray();
  }
  json.Key("elapse").Fixed(std::chrono::duration<double>(options.elapsed).count(), kSecondDecimals);
  if (result.synthetic) json.Key("synthetic").Bool(true);
  if (options.explain) WriteExplain(json, result, options);
  json.EndObject();
  return out;
}

std::string ServerTiming(const StageTimes& stages, std::optional<Duration> fetch) {
  std::string out;
  if (fetch) {
    out += "fetch;dur=";
    AppendFixed(out, ToMilliseconds(*fetch), kMillisecondDecimals);
    out += ", ";
  }
  out += "decode;dur=";
  AppendFixed(out, ToMilliseconds(DecodeTime(stages)), kMillisecondDecimals);
  out += ", queue;dur=";
  AppendFixed(out, ToMilliseconds(QueueTime(stages)), kMillisecondDecimals);
  out += ", infer;dur=";
  AppendFixed(out, ToMilliseconds(InferTime(stages)), kMillisecondDecimals);
  return out;
}

}  // namespace xcloud
