// AnswerValue as JSON. Pure function; any thread.
#pragma once

#include "core/answer_value.h"
#include "http/json_writer.h"

namespace xcloud {

// Writes one value; a number that is not finite, which no service may give, as null.
void WriteValue(JsonWriter& json, const AnswerValue& value);

}  // namespace xcloud
