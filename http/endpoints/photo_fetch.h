// PhotoFetch: fetches the photo that a caller named by a URL, as part of the request.
//
// What the fetcher says becomes the request's own error, by who can act on it:
//   403  imgurl is off, or the host is not allowed: the operator
//   400  body code 1: the URL is wrong, leads nowhere or to no photo: the caller
//   413  the photo is too large
//   504  the other end was too slow, or the deadline passed
//   429, 503  too many fetches; the server stops or has no name server: again later
// Threads: the connection's io thread.
#pragma once

#include <optional>

#include "core/deadline.h"
#include "http/asio_types.h"
#include "http/byte_budget.h"
#include "http/endpoints/photo_fields.h"
#include "http/request_context.h"
#include "http/status_mapping.h"

namespace xcloud {

// Puts the photo behind source.url into source.photo. Ends at the deadline, when the client goes,
// or when the server stops; the download ends with it. Without a deadline, after answer_timeout_ms.
// The photo counts as a body does, byte by byte as it comes: where the budget of bodies ends, the
// download does, with 503. `share` (of the same budget) holds the bytes from then on.
Task<std::optional<HttpError>> FetchPhoto(RequestContext& context, Deadline deadline,
                                          BodyShare& share, PhotoSource& source);

}  // namespace xcloud
