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

bool MayEncode(const RequestContext& context, const Response& response) {
  const bool decoded_there =
      context.form != ErrorForm::kProtocol || context.path.ends_with("/infer");
  return decoded_there && response.status == 200 && IsCompressible(response.content_type) &&
         !HasHeader(response, "ETag") && !HasHeader(response, "Content-Encoding");
}

}  // namespace

std::optional<HttpError> CheckAcceptedCodings(const RequestHead& head) {
  if (!ChooseCoding(head.Header("accept-encoding")).none()) return std::nullopt;
  return MakeHttpError(406, "answers come as gzip, deflate or as they are: accept one of them");
}

Task<void> EncodeAnswer(const RequestContext& context, Response& response) {
  if (!MayEncode(context, response)) co_return;
  response.headers.emplace_back("Vary", "Accept-Encoding");
  const CodingChoice choice = ChooseCoding(context.head.Header("accept-encoding"));
  const std::size_t least = choice.identity ? kMinBytes : 1;
  if (choice.best == ContentCoding::kIdentity || response.payload().size() < least) co_return;
  Deflater deflater(choice.best, response.payload());
  while (deflater.Step()) co_await YieldThread();
  std::string encoded = deflater.Take();
  if (choice.identity && encoded.size() >= response.payload().size()) co_return;
  response.body = std::move(encoded);
  response.headers.emplace_back("Content-Encoding", ContentCodingName(choice.best));
}

}  // namespace xcloud
