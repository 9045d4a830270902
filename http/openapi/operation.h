// Operation: what the document at /openapi.json says about a route beyond its method and path. One
// row for each row of routes.cpp, found by the route's name; a test keeps the two tables equal.
//
// Rows name pieces of components.h, several of them separated by blanks.
// Thread safety: constant tables; any thread.
#pragma once

#include <span>
#include <string_view>

namespace xcloud {

struct Operation {
  std::string_view route;    // Route::name: "POST /cv/{service}"
  std::string_view tag;      // one of Tags()
  std::string_view summary;  // a line for people
  std::string_view detail = {};
  std::string_view parameters = {};  // of query and headers; those of the path are in the pattern
  std::string_view body = {};        // a request body; empty = takes none
  std::string_view answer;           // the response of `success`
  int success = 200;                 // 501: known, and not supported
  std::string_view refusals = {};    // statuses beside kEveryRefusal: "404 413"
  std::string_view not_ready = {};   // the response of its 503, where that is not the error form
};

// What every route may answer, whatever it does: the request could not be read (400, 406, 408, 417,
// 431, 501, 505), the server or the caller's address has too many connections (503, 429), or we
// failed (500). tests/http/openapi_test.cpp provokes them.
inline constexpr std::string_view kEveryRefusal = "400 406 408 417 429 431 500 501 503 505";

// XCloud's own routes; and those of the Open Inference Protocol and TorchServe.
std::span<const Operation> OwnOperations();
std::span<const Operation> ProtocolOperations();

// Null when there is no row of that name.
const Operation* FindOperation(std::string_view route);

}  // namespace xcloud
