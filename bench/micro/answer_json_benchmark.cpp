// One answer as JSON: five predictions, as of an ImageNet network.

#include "http/answer_json.h"

#include <benchmark/benchmark.h>

#include <chrono>
#include <string>

#include "http/json_writer.h"

namespace xcloud {
namespace {

InferenceResult TopFive() {
  InferenceResult result;
  result.model = std::string("imagenet");
  result.version = std::string("1");  // moved: g++ 12 warns falsely of the copy
  const char* labels[] = {"golden retriever", "Labrador retriever", "cocker spaniel, English",
                          "kuvasz", "tennis ball"};
  float probability = 0.81F;
  for (std::int32_t i = 0; i < 5; ++i) {
    result.predictions.push_back({207 + i, labels[i], probability});
    probability /= 3;
  }
  return result;
}

void WriteTopFive(benchmark::State& state) {
  const InferenceResult result = TopFive();
  const AnswerForm form{.index_key = "category_id"};
  AnswerOptions options;
  options.elapsed = std::chrono::microseconds(12'345);
  std::size_t bytes = 0;
  for (auto _ : state) {
    const std::string text = WriteAnswer(result, form, options);
    bytes = text.size();
    benchmark::DoNotOptimize(text.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}
BENCHMARK(WriteTopFive);

void WriteString(benchmark::State& state, const char* text) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    AppendJsonString(out, text);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK_CAPTURE(WriteString, plain, "golden retriever");
BENCHMARK_CAPTURE(WriteString, escaped, "a \"quoted\" \\ label\n\xC3\xA9\xE4\xB8\xAD");

void WriteProbability(benchmark::State& state) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    AppendFixed(out, 0.81234567, 4);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(WriteProbability);

}  // namespace
}  // namespace xcloud
