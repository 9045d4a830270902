// ErrorForm: how an error is written as JSON. Each front door has its own clients, and each of
// those reads only its own form.
//
//   kXCloud      {"code":N,"msg":"...","data":null,"elapse":s}
//   kProtocol    {"error":"..."}: the Open Inference Protocol, below /v2
//   kTorchServe  {"code":404,"type":"ModelNotFoundException","message":"..."}
// Each with "trace_id":"..." at its end where the request carried a traceparent.
// Thread safety: pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include "core/clock.h"
#include "http/status_mapping.h"

namespace xcloud {

enum class ErrorForm { kXCloud, kProtocol, kTorchServe };

// By the path alone, so that a path that leads nowhere is answered in its door's form as well.
ErrorForm ErrorFormOf(std::string_view path);

// `elapsed`: since the request's first byte. `trace_id`: the caller's; empty = none.
std::string WriteError(const HttpError& error, Duration elapsed, ErrorForm form,
                       std::string_view trace_id = {});

}  // namespace xcloud
