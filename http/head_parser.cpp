#include "http/head_parser.h"

#include <iterator>
#include <limits>
#include <optional>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>

#include "http/media_type.h"

namespace xcloud {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

std::string_view View(beast::string_view text) {
  return {text.data(), text.size()};
}

Verb ToVerb(std::string_view method) {
  if (method == "GET") return Verb::kGet;
  if (method == "HEAD") return Verb::kHead;
  if (method == "POST") return Verb::kPost;
  if (method == "PUT") return Verb::kPut;
  if (method == "PATCH") return Verb::kPatch;
  if (method == "DELETE") return Verb::kDelete;
  return Verb::kOther;
}

}  // namespace

struct HeadParser::Parser {
  std::optional<http::request_parser<http::empty_body>> beast;
};

std::string_view RequestHead::Header(std::string_view name) const {
  const auto& message = fields->parser_->beast->get();
  const auto found = message.find(beast::string_view(name.data(), name.size()));
  return found == message.end() ? std::string_view() : View(found->value());
}

bool RequestHead::Has(std::string_view name) const {
  return fields->parser_->beast->get().count(beast::string_view(name.data(), name.size())) > 0;
}

HeadParser::HeadParser(std::size_t limit_bytes)
    : limit_bytes_(limit_bytes), parser_(std::make_unique<Parser>()) {
  Reset();
}

HeadParser::~HeadParser() = default;

void HeadParser::Reset() {
  parser_->beast.emplace();
  // Beast 1.74 counts its header limit anew after each line that it takes and compares the length
  // with a missing body limit as if it were zero: both limits are ours.
  parser_->beast->header_limit(std::numeric_limits<std::uint32_t>::max());
  parser_->beast->body_limit(std::numeric_limits<std::uint64_t>::max());
  taken_ = 0;
  state_ = State::kMore;
  head_ = {};
}

std::size_t HeadParser::Feed(std::string_view in) {
  std::size_t taken = 0;
  if (taken_ == 0) {
    // RFC 9112, 2.2: empty lines before a request are skipped.
    while (in.substr(taken).starts_with("\r\n")) taken += 2;
    if (in.size() - taken < 2) return taken;  // perhaps half an empty line
  }
  boost::system::error_code error;
  const std::size_t parsed =
      parser_->beast->put(boost::asio::const_buffer(in.data() + taken, in.size() - taken), error);
  taken += parsed;
  taken_ += parsed;
  const bool done = parser_->beast->is_header_done();
  if (taken_ > limit_bytes_ || (!done && taken_ + in.size() - taken > limit_bytes_)) {
    Refuse(431, "the request line and headers are over " + std::to_string(limit_bytes_) + " bytes");
  } else if (TooManyHeaders()) {
    Refuse(431, "the request has more than " + std::to_string(kMaxHeaders) + " headers");
  } else if (error == http::error::bad_version) {
    Refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  } else if (error && error != http::error::need_more) {
    Refuse(400, "malformed HTTP request: " + error.message());
  } else if (done) {
    Finish();
  } else if (in.substr(taken).find("\r\n\r\n") != std::string_view::npos) {
    // Beast asks for more when a first line ends early, and after that looks only behind its end.
    Refuse(400, "malformed HTTP request: its end comes within a line");
  }
  return taken;
}

bool HeadParser::TooManyHeaders() const {
  const auto& fields = parser_->beast->get();
  return std::distance(fields.begin(), fields.end()) > std::ptrdiff_t{kMaxHeaders};
}

void HeadParser::Refuse(int status, std::string message) {
  parser_->beast.emplace();  // the client may linger
  head_ = {};
  state_ = State::kRefused;
  error_ = MakeHttpError(status, std::move(message));
}

void HeadParser::Finish() {
  state_ = State::kDone;
  const auto& message = parser_->beast->get();
  head_.fields = this;
  head_.verb = ToVerb(View(message.method_string()));
  head_.target = View(message.target());
  head_.http_1_0 = message.version() == 10;
  head_.keep_alive = message.keep_alive();
  head_.chunked = parser_->beast->chunked();
  if (const auto length = parser_->beast->content_length()) head_.content_length = *length;
  const std::string_view sent_length = head_.Header("content-length");
  if (message.count(http::field::content_length) > 1 || sent_length.find(',') != sent_length.npos) {
    return Refuse(400, "a request must have one Content-Length at the most");
  }
  if (!head_.http_1_0 && message.count(http::field::host) != 1) {
    return Refuse(400, "an HTTP/1.1 request must have exactly one Host header");
  }
  if (message.count(http::field::transfer_encoding) > 0) {
    if (!EqualsIgnoreCase(head_.Header("transfer-encoding"), "chunked")) {
      return Refuse(501, "the only Transfer-Encoding read here is chunked");
    }
    if (head_.http_1_0) return Refuse(400, "HTTP/1.0 has no Transfer-Encoding");
  }
  const std::string_view expect = head_.Header("expect");
  if (!expect.empty() && !EqualsIgnoreCase(expect, "100-continue")) {
    return Refuse(417, "the only expectation met here is 100-continue");
  }
  // An HTTP/1.0 client cannot read an interim answer.
  head_.expects_continue = !expect.empty() && !head_.http_1_0;
}

}  // namespace xcloud
