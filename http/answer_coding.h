// AnswerCoding: compresses an answer for a client that asks for it.
//
// What is compressed: answers of 200 with text, JSON or tensors of 1 KiB or more. Not errors, nor
// what carries an ETag, which would have to differ by coding. Below /v2 only /infer: tritonclient's
// asyncio client accepts codings with every request and decodes them only there.
// Who refuses the plain answer ("identity;q=0") gets every answer of an endpoint compressed, then
// without its ETag; only refusals before that (404, 405, 403 of /admin) come plain.
// Threads: the connection's io thread, which serves others between two slices of the work.
#pragma once

#include <optional>

#include "http/asio_types.h"
#include "http/request_context.h"
#include "http/response.h"
#include "http/status_mapping.h"

namespace xcloud {

// 406 for a client that takes neither a coding of ours nor the plain answer.
std::optional<HttpError> CheckAcceptedCodings(const RequestHead& head);

Task<void> EncodeAnswer(const RequestContext& context, Response& response);

}  // namespace xcloud
