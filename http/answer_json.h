// The JSON answer of an inference, written without building a document.
//
// Thread safety: pure functions; any thread.
#pragma once

#include <optional>
#include <string>

#include "core/inference_service.h"
#include "core/request.h"

namespace xcloud {

struct AnswerOptions {
  Duration elapsed{};                  // of the whole request so far
  bool explain = false;                // adds where the time went
  std::optional<Duration> fetch = {};  // how long the photo's download took, if there was one
};

// {"code":0,"msg":"success","data":[{label, index?, probability}, ...],"elapse":s}, the keys as the
// service's AnswerForm names them, or the service's own value as "data"; then "synthetic":true and
// "explain":{...} where they apply. REQUIRES: result.status.ok().
std::string WriteAnswer(const InferenceResult& result, const AnswerForm& form,
                        const AnswerOptions& options);

// "decode;dur=1.2, queue;dur=0.3, infer;dur=8.9": milliseconds; "fetch;dur=41.0, " before them when
// the photo was downloaded.
std::string ServerTiming(const StageTimes& stages, std::optional<Duration> fetch = {});

}  // namespace xcloud
