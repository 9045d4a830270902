#include "http/answer_coding.h"

#include <algorithm>
#include <string>
#include <utility>

#include "http/content_coding.h"
#include "http/yield_thread.h"

namespace xcloud {
namespace {

// A smaller answer is one packet either way.
constexpr std::size_t kMinBytes = 1024;

bool HasHeader(const Response& response, std::string_view name) {
  return std::any_of(response.headers.begin(), response.headers.end(),
                     [name](const auto& header) { return header.first == name; });
}

bool IsCompressible(std::string_view content_type) {
  for (const std::string_view type : {"text/", "application/json", "application/octet-stream"}) {
    if (content_type.starts_with(type)) return true;
  }
  return false;
}

// Where a client that takes the plain answer too gets it compressed.
bool IsWorthEncoding(const RequestContext& context, const Response& response) {
  const bool decoded_there =
      context.form != ErrorForm::kProtocol || context.path.ends_with("/infer");
  return decoded_there && response.status == 200 && IsCompressible(response.content_type) &&
         !HasHeader(response, "ETag");
}

// An encoded answer is another representation: a tag of the plain one must not go with it.
void SetEncoded(Response& response, ContentCoding coding, std::string encoded) {
  response.body = std::move(encoded);
  std::erase_if(response.headers, [](const auto& header) { return header.first == "ETag"; });
  response.headers.emplace_back("Content-Encoding", ContentCodingName(coding));
}

}  // namespace

std::optional<HttpError> CheckAcceptedCodings(const RequestHead& head) {
  if (!ChooseCoding(head.Header("accept-encoding")).none()) return std::nullopt;
  return MakeHttpError(406, "answers come as gzip, deflate or as they are: accept one of them");
}

Task<void> EncodeAnswer(const RequestContext& context, Response& response) {
  if (HasHeader(response, "Content-Encoding")) co_return;
  const CodingChoice choice = ChooseCoding(context.head.Header("accept-encoding"));
  const bool worth = IsWorthEncoding(context, response);
  if (!worth && choice.identity) co_return;
  response.headers.emplace_back("Vary", "Accept-Encoding");
  const std::size_t least = choice.identity ? kMinBytes : 1;
  if (choice.best == ContentCoding::kIdentity || response.payload().size() < least) co_return;
  Deflater deflater(choice.best, response.payload());
  while (deflater.Step()) co_await YieldThread();
  std::string encoded = deflater.Take();
  if (choice.identity && encoded.size() >= response.payload().size()) co_return;
  SetEncoded(response, choice.best, std::move(encoded));
}

}  // namespace xcloud
