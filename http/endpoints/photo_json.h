// PhotoJson: a photo and its options as a JSON object.
//
//   {"image": "<base64 or URL>", "k": 5, "deadline_ms": 200, "explain": true}
//
// Fields: image, imgraw, imgurl (photo_fields.h) and the options of infer_options.h. A null counts
// as left out. A field of another type is refused by its name. Fields that we do not know are
// passed over, as those of a multipart form or a query are: clients of the first XCloud send their
// own beside the photo. Depth: 100 at most, also of what is passed over.
//
// Thread safety: pure functions; any thread. Cost: the body is moved once, to where it is parsed
// and decoded in place; a string of megabytes is not copied again.
#pragma once

#include <optional>
#include <string_view>

#include "http/body_pool.h"
#include "http/endpoints/infer_options.h"
#include "http/endpoints/photo_fields.h"
#include "http/status_mapping.h"

namespace xcloud {

std::optional<HttpError> TakeFromJson(std::string_view body, BodyPool& pool, InferOptions& options,
                                      PhotoSource& source);

}  // namespace xcloud
