// Writes the pieces of components.h into the document at /openapi.json.
//
// Thread safety: pure functions; any thread. Each member is written into the object that is open.
#pragma once

#include <string_view>
#include <vector>

#include "http/json_writer.h"

namespace xcloud {

// The whole member "components".
void WriteComponents(JsonWriter& json);
// A value: {"$ref":"#/components/KIND/NAME"}.
void WriteRef(JsonWriter& json, std::string_view kind, std::string_view name);
// The member "headers": those of every response, and `headers`, separated by blanks.
void WriteHeaders(JsonWriter& json, std::string_view headers);

// The words of a text that blanks separate, which is how the tables hold lists.
std::vector<std::string_view> SplitWords(std::string_view text, char separator = ' ');

}  // namespace xcloud
