// GET /, /docs, /cv/{service} and /assets/{name}: the embedded pages. They carry no data of their
// own: their script asks the JSON API.
#include "http/endpoints/endpoints.h"
#include "http/media_type.h"

namespace xcloud {
namespace {

// Everything from this server, but for photos that the page holds itself; no inline script.
constexpr const char* kContentSecurityPolicy =
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'";

// If-None-Match: "*" or a list of tags; a weak tag matches its strong one.
bool AnyTagMatches(std::string_view header, std::string_view etag) {
  while (!header.empty()) {
    const std::size_t comma = header.find(',');
    std::string_view tag = TrimBlanks(header.substr(0, comma));
    header = comma == std::string_view::npos ? std::string_view() : header.substr(comma + 1);
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == etag || tag == "*") return true;
  }
  return false;
}

// The headers; the body is the caller's.
Response PageResponse(const WebAsset& asset) {
  Response response;
  response.content_type = asset.content_type;
  // Names carry no version: a browser asks again each time, which a 304 makes cheap.
  response.headers.emplace_back("Cache-Control", "no-cache");
  response.headers.emplace_back("ETag", std::string(asset.etag));
  response.headers.emplace_back("Content-Security-Policy", kContentSecurityPolicy);
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  return response;
}

Response ServeAsset(RequestContext& context, std::string_view name) {
  const WebAsset* asset = context.server().pages.Find(name);
  if (asset == nullptr) {
    return context.Fail(MakeHttpError(404, "there is no such page or asset"));
  }
  Response response = PageResponse(*asset);
  if (AnyTagMatches(context.head.Header("if-none-match"), asset->etag)) {
    response.status = 304;
  } else {
    response.constant_body = asset->body;
  }
  return response;
}

}  // namespace

Task<Response> HandleIndexPage(RequestContext& context) {
  co_return ServeAsset(context, "index.html");
}

Task<Response> HandleDocsPage(RequestContext& context) {
  co_return ServeAsset(context, "docs.html");
}

Task<Response> HandleServicePage(RequestContext& context) {
  if (context.server().service.Find(context.parameter) != nullptr) {
    co_return ServeAsset(context, "service.html");
  }
  // The page itself says in words that there is no such service.
  const WebAsset* page = context.server().pages.Find("service.html");
  XC_CHECK(page != nullptr);  // embedded at build time
  Response response = PageResponse(*page);
  response.status = 404;
  response.constant_body = page->body;
  co_return response;
}

Task<Response> HandleAsset(RequestContext& context) {
  co_return ServeAsset(context, context.parameter);
}

}  // namespace xcloud
