// The pieces that operations name: schemas, parameters, headers, request bodies and responses of
// the document at /openapi.json.
//
// Thread safety: constant tables; any thread. `json` is written as it is: a test parses each.
#pragma once

#include <span>
#include <string_view>

namespace xcloud {

struct Component {
  std::string_view name;
  std::string_view json;
};

// `content`: TYPE or TYPE=SCHEMA or TYPE=SCHEMA|SCHEMA (any of them), several separated by blanks.
// Without a schema it is text or bytes of that type; empty = there is no body.
struct BodyComponent {
  std::string_view name;
  bool required;
  std::string_view content;
};

// Every response has the headers X-Request-Id and traceresponse besides.
struct ResponseComponent {
  std::string_view name;
  std::string_view description;
  std::string_view content;
  std::string_view headers = {};  // of Headers(), separated by blanks
};

struct Tag {
  std::string_view name;
  std::string_view description;
};

std::span<const Component> OwnSchemas();       // schemas.cpp
std::span<const Component> ProtocolSchemas();  // protocol_schemas.cpp
std::span<const Component> Parameters();       // components.cpp, as all that follow
std::span<const Component> Headers();
std::span<const BodyComponent> RequestBodies();
std::span<const ResponseComponent> Responses();
std::span<const Tag> Tags();

// "404" in words, of whoever is refused with it.
std::string_view RefusalDescription(int status);

}  // namespace xcloud
