// The JSON answer of an inference, written without building a document.
//
// Thread safety: pure functions; any thread.
#pragma once

#include <string>

#include "core/inference_service.h"
#include "core/request.h"

namespace xcloud {

struct AnswerOptions {
  Duration elapsed{};    // of the whole request so far
  bool explain = false;  // adds where the time went
};

// {"code":0,"msg":"success","data":[{label, index?, probability}, ...],"elapse":s}, the keys as the
// service's AnswerForm names them; then "synthetic":true and "explain":{...} where they apply.
// REQUIRES: result.status.ok().
std::string WriteAnswer(const InferenceResult& result, const AnswerForm& form,
                        const AnswerOptions& options);

// "decode;dur=1.2, queue;dur=0.3, infer;dur=8.9": milliseconds.
std::string ServerTiming(const StageTimes& stages);

}  // namespace xcloud
