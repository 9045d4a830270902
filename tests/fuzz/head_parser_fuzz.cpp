// A request head comes out the same however the network cuts it, and says about its body what the
// plainest reading of its lines says: two readings of one length are how requests are smuggled.
#include "http/head_parser.h"

#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "core/status.h"
#include "http/media_type.h"
#include "tests/fuzz/fuzz_input.h"

namespace xcloud {
namespace {

constexpr std::size_t kLimit = 2048;  // small, so that a fuzzer reaches it
using State = HeadParser::State;
using Fields = std::vector<std::pair<std::string, std::string>>;

std::size_t FeedWhole(HeadParser& parser, std::string_view wire) {
  const ExactCopy copy(wire);
  return parser.Feed(copy.view());
}

// As a connection does: what was left is offered again with what came since.
std::size_t FeedPieces(HeadParser& parser, std::string_view wire,
                       const std::vector<std::size_t>& cuts) {
  std::size_t taken = 0;
  for (const std::size_t cut : cuts) {
    if (cut == taken) continue;
    const ExactCopy copy(wire.substr(taken, cut - taken));
    const std::size_t now = parser.Feed(copy.view());
    XC_CHECK(now <= cut - taken);
    taken += now;
    if (parser.state() != State::kMore) break;
  }
  return taken;
}

// The header lines of a head that was let in; folded lines joined (RFC 9112, 5.2).
Fields ReadFields(std::string_view head) {
  while (head.starts_with("\r\n")) head.remove_prefix(2);
  XC_CHECK(head.ends_with("\r\n\r\n"));
  Fields fields;
  head.remove_prefix(head.find("\r\n") + 2);
  for (std::size_t end = 0; (end = head.find("\r\n")) != 0; head.remove_prefix(end + 2)) {
    const std::string_view line = head.substr(0, end);
    if (line.front() == ' ' || line.front() == '\t') {
      XC_CHECK(!fields.empty());
      std::string& value = fields.back().second;
      const std::string_view more = TrimBlanks(line);
      if (!value.empty() && !more.empty()) value += ' ';
      value += more;
      continue;
    }
    const std::size_t colon = line.find(':');
    XC_CHECK(colon != std::string_view::npos && colon > 0);
    const std::string_view name = line.substr(0, colon);
    XC_CHECK(name.find_first_of(" \t\r\n\v\f\"(),/;<=>?@[\\]{}") == std::string_view::npos);
    fields.emplace_back(name, TrimBlanks(line.substr(colon + 1)));
  }
  XC_CHECK(head == "\r\n");
  return fields;
}

std::vector<std::string_view> ValuesOf(const Fields& fields, std::string_view name) {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : fields) {
    if (EqualsIgnoreCase(key, name)) values.push_back(value);
  }
  return values;
}

// RFC 9110, 8.6: digits, or a list of the same digits again and again.
void CheckLengths(std::string_view text, std::uint64_t expected) {
  for (std::size_t comma = 0; comma != std::string_view::npos;) {
    comma = text.find(',');
    const std::string_view digits = TrimBlanks(text.substr(0, comma));
    if (comma != std::string_view::npos) text.remove_prefix(comma + 1);
    XC_CHECK(!digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos);
    std::uint64_t length = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    XC_CHECK(parsed.ec == std::errc() && length == expected);
  }
}

void CheckBodyLength(const RequestHead& head, const Fields& fields) {
  const auto lengths = ValuesOf(fields, "content-length");
  const auto codings = ValuesOf(fields, "transfer-encoding");
  XC_CHECK(lengths.empty() || codings.empty());
  XC_CHECK(head.chunked == !codings.empty());
  XC_CHECK(codings.size() <= 1);
  for (const std::string_view coding : codings) XC_CHECK(EqualsIgnoreCase(coding, "chunked"));
  XC_CHECK(!head.chunked || !head.http_1_0);
  if (lengths.empty()) XC_CHECK(head.content_length == 0);
  for (const std::string_view text : lengths) CheckLengths(text, head.content_length);
}

void CheckHead(const RequestHead& head, std::string_view text) {
  const Fields fields = ReadFields(text);
  XC_CHECK(!head.target.empty());
  for (const char c : head.target) XC_CHECK(static_cast<unsigned char>(c) > ' ' && c != '\x7f');
  CheckBodyLength(head, fields);
  if (!head.http_1_0) XC_CHECK(ValuesOf(fields, "host").size() == 1);
  const auto expectations = ValuesOf(fields, "expect");
  const bool expects = !expectations.empty() && EqualsIgnoreCase(expectations[0], "100-continue");
  XC_CHECK(head.expects_continue == (expects && !head.http_1_0));
  for (const auto& [name, value] : fields) {
    XC_CHECK(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    XC_CHECK(head.Has(name));
    XC_CHECK(head.Header(name) == ValuesOf(fields, name)[0]);
  }
  XC_CHECK(head.Has("x-not-sent") == !ValuesOf(fields, "x-not-sent").empty());
}

void CheckSame(const RequestHead& a, const RequestHead& b) {
  XC_CHECK(a.verb == b.verb && a.target == b.target && a.http_1_0 == b.http_1_0);
  XC_CHECK(a.keep_alive == b.keep_alive && a.chunked == b.chunked);
  XC_CHECK(a.content_length == b.content_length && a.expects_continue == b.expects_continue);
}

void TestOne(FuzzInput input) {
  const auto cuts = input.TakeCuts();
  const std::string_view wire = input.rest();
  HeadParser whole(kLimit);
  HeadParser pieces(kLimit);
  const std::size_t taken = FeedWhole(whole, wire);
  XC_CHECK(taken <= wire.size());
  const std::size_t taken_in_pieces = FeedPieces(pieces, wire, cuts);
  if (whole.state() == State::kRefused && pieces.state() == State::kMore) {
    // Beast looks again at a line that came cut only when the whole head is there: what is
    // malformed may be found later, but it is found.
    const std::string ended = std::string(wire.substr(taken_in_pieces)) + "\r\n\r\n";
    XC_CHECK(ended.find("\r\n\r\n") >= ended.size() - 7);
    FeedWhole(pieces, ended);
  }
  XC_CHECK(whole.state() == pieces.state());
  if (whole.state() == State::kRefused) {
    const int status = whole.refusal().status;
    XC_CHECK(status >= 400 && status <= 599 && !whole.refusal().message.empty());
    // Of several things that are wrong with its bytes, the one that is seen first is named.
    const auto is_malformed = [](int s) { return s == 400 || s == 431 || s == 505; };
    const int other = pieces.refusal().status;
    XC_CHECK(status == other || (is_malformed(status) && is_malformed(other)));
  }
  if (whole.state() == State::kDone) {
    XC_CHECK(taken == taken_in_pieces);
    CheckHead(whole.head(), wire.substr(0, taken));
    CheckHead(pieces.head(), wire.substr(0, taken));
    CheckSame(whole.head(), pieces.head());
  }
  // A parser that was used before is as good as new.
  pieces.Reset();
  XC_CHECK(FeedWhole(pieces, wire) == taken && pieces.state() == whole.state());
}

}  // namespace
}  // namespace xcloud

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xcloud::TestOne({data, size});
  return 0;
}
