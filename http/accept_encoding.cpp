// ChooseCoding of content_coding.h.
#include <array>
#include <cstddef>

#include "http/content_coding.h"
#include "http/media_type.h"

namespace xcloud {
namespace {

constexpr int kFullWeight = 1000;  // q=1, in thousandths: three digits are all that there may be

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// "0", "0.5", "1.000" in thousandths. Nothing when it is no weight.
std::optional<int> ParseWeight(std::string_view text) {
  constexpr std::size_t kMaxLength = 5;
  if (text.empty() || text.size() > kMaxLength || (text[0] != '0' && text[0] != '1')) {
    return std::nullopt;
  }
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  int weight = (text[0] - '0') * kFullWeight;
  int digit_worth = kFullWeight / 10;
  for (std::size_t i = 2; i < text.size(); ++i, digit_worth /= 10) {
    if (!IsDigit(text[i])) return std::nullopt;
    weight += (text[i] - '0') * digit_worth;
  }
  return weight <= kFullWeight ? std::optional(weight) : std::nullopt;
}

struct Item {
  std::string_view name;
  int weight = kFullWeight;
};

// "gzip;q=0.8". One whose weight is no weight is as if it were not there.
std::optional<Item> ParseItem(std::string_view text) {
  const std::size_t semicolon = text.find(';');
  Item item{TrimBlanks(text.substr(0, semicolon))};
  if (item.name.empty()) return std::nullopt;
  if (semicolon == std::string_view::npos) return item;
  const std::string_view parameter = TrimBlanks(text.substr(semicolon + 1));
  if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) return std::nullopt;
  const auto weight = ParseWeight(TrimBlanks(parameter.substr(2)));
  if (!weight) return std::nullopt;
  item.weight = *weight;
  return item;
}

struct Weights {
  std::optional<int> gzip;
  std::optional<int> deflate;
  std::optional<int> identity;
  std::optional<int> any;

  void Take(const Item& item) {
    if (item.name == "*") any = item.weight;
    const auto coding = ParseContentCoding(item.name);
    if (!coding) return;
    constexpr std::array kSlots = {&Weights::identity, &Weights::gzip, &Weights::deflate};
    this->*kSlots[static_cast<std::size_t>(*coding)] = item.weight;
  }
};

}  // namespace

CodingChoice ChooseCoding(std::string_view accept_encoding) {
  Weights weights;
  while (!accept_encoding.empty()) {
    const std::size_t comma = accept_encoding.find(',');
    if (const auto item = ParseItem(accept_encoding.substr(0, comma))) weights.Take(*item);
    accept_encoding =
        comma == std::string_view::npos ? std::string_view() : accept_encoding.substr(comma + 1);
  }
  const int others = weights.any.value_or(0);
  const int gzip = weights.gzip.value_or(others);
  const int deflate = weights.deflate.value_or(others);
  CodingChoice choice;
  // Unless it is refused by name or by "*;q=0", it is always allowed.
  choice.identity = weights.identity.value_or(weights.any.value_or(1)) > 0;
  // One who would rather have it as it is, named it with a higher weight than the others.
  const int plain = weights.identity.value_or(0);
  if (gzip > 0 && gzip >= deflate && gzip >= plain) {
    choice.best = ContentCoding::kGzip;
  } else if (deflate > 0 && deflate >= plain) {
    choice.best = ContentCoding::kDeflate;
  }
  return choice;
}

}  // namespace xcloud
