#include <algorithm>
#include <array>
#include <cstdio>

#include "bench/append_format.h"
#include "bench/policies/study.h"

namespace xcloud {
namespace {

constexpr double kPanelWidth = 560;
constexpr double kPanelHeight = 300;
constexpr double kTop = 92;  // title and legend
constexpr std::size_t kColumns = 2;
// Within a panel.
constexpr double kLeft = 48;
constexpr double kRight = 140;  // room for the labels at the ends of the lines
constexpr double kAbove = 40;
constexpr double kBelow = 36;
constexpr double kLabelGap = 12;

// Okabe and Ito's palette, which colour-blind readers can tell apart; each line has its own dashes
// too.
struct Style {
  const char* colour;
  const char* dashes;
  double width;
};
constexpr std::array<Style, 7> kStyles = {{{"#D55E00", "", 3},
                                           {"#CC79A7", "8 3", 2},
                                           {"#000000", "2 3", 1.6},
                                           {"#0072B2", "", 1.8},
                                           {"#009E73", "6 3 1 3", 1.8},
                                           {"#E69F00", "10 3", 1.6},
                                           {"#56B4E9", "4 2", 1.6}}};

const Style& StyleOf(std::size_t policy) {
  return kStyles[policy % kStyles.size()];
}

std::string Escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

void AppendText(std::string& out, double x, double y, const char* attributes,
                const std::string& text) {
  Append(out, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, attributes);
  out += Escaped(text) + "</text>\n";
}

class Panel {
 public:
  Panel(const ScenarioOutcome& outcome, double x, double y) : outcome_(outcome), x_(x), y_(y) {
    for (const PolicyOutcome& policy : outcome.policies) {
      for (const LoadPoint& point : policy.points) highest_ = std::max(highest_, point.load);
    }
  }

  std::string Svg() const {
    std::string out;
    const Scenario& s = outcome_.scenario;
    AppendText(out, x_ + kLeft, y_ + 16, "font-size=\"14\" font-weight=\"bold\"", s.title);
    char detail[256];
    std::snprintf(detail, sizeof(detail), "l(b) = %s, SLO %g ms, max batch %zu, capacity %.0f/s",
                  s.times.text().c_str(), s.slo_ms, s.max_batch, s.CapacityPerSecond());
    AppendText(out, x_ + kLeft, y_ + 31, "font-size=\"11\" fill=\"#555\"", detail);
    AppendAxes(out);
    // Ours last: on top.
    for (std::size_t i = outcome_.policies.size(); i-- > 0;) AppendLine(out, i);
    AppendLabels(out);
    return out;
  }

 private:
  double X(double load) const {
    return x_ + kLeft + load / highest_ * (kPanelWidth - kLeft - kRight);
  }
  double Y(double share) const {
    return y_ + kPanelHeight - kBelow - share * (kPanelHeight - kAbove - kBelow);
  }

  void AppendAxes(std::string& out) const {
    for (int percent = 0; percent <= 100; percent += 25) {
      const double y = Y(percent / 100.0);
      Append(out,
             "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
             "stroke-width=\"1\"/>\n",
             X(0), y, X(highest_), y, percent == 0 ? "#333" : "#ddd");
      AppendText(out, X(0) - 6, y + 4, "font-size=\"11\" text-anchor=\"end\"",
                 std::to_string(percent) + " %");
    }
    for (const LoadPoint& point : outcome_.policies.front().points) {
      Append(out,
             "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#333\" "
             "stroke-width=\"1\"/>\n",
             X(point.load), Y(0), X(point.load), Y(0) + 4);
      char text[32];
      std::snprintf(text, sizeof(text), "%.0f", point.load * 100);
      AppendText(out, X(point.load), Y(0) + 16, "font-size=\"11\" text-anchor=\"middle\"", text);
    }
    AppendText(out, (X(0) + X(highest_)) / 2, Y(0) + 31,
               "font-size=\"11\" text-anchor=\"middle\" fill=\"#555\"", "load, % of capacity");
  }

  void AppendLine(std::string& out, std::size_t policy) const {
    const Style& style = StyleOf(policy);
    std::string points;
    for (const LoadPoint& point : outcome_.policies[policy].points) {
      Append(points, "%.1f,%.1f ", X(point.load), Y(point.in_slo));
    }
    Append(out,
           "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"%.1f\" stroke-dasharray=\"%s\" "
           "stroke-linejoin=\"round\" points=\"",
           style.colour, style.width, style.dashes[0] == '\0' ? "none" : style.dashes);
    out += points + "\"/>\n";
    for (const LoadPoint& point : outcome_.policies[policy].points) {
      Append(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.4\" fill=\"%s\"/>\n", X(point.load),
             Y(point.in_slo), style.colour);
    }
  }

  // At the lines' ends, moved apart where they would lie on each other.
  void AppendLabels(std::string& out) const {
    struct Label {
      std::size_t policy;
      double wanted;
      double at;
    };
    std::vector<Label> labels;
    for (std::size_t i = 0; i < outcome_.policies.size(); ++i) {
      if (outcome_.policies[i].points.empty()) continue;
      const double y = Y(outcome_.policies[i].points.back().in_slo);
      labels.push_back({i, y, y});
    }
    std::stable_sort(labels.begin(), labels.end(),
                     [](const Label& a, const Label& b) { return a.wanted > b.wanted; });
    double lowest = Y(0) + 2;  // from the bottom up
    for (Label& label : labels) {
      label.at = std::min(label.wanted, lowest);
      lowest = label.at - kLabelGap;
    }
    for (const Label& label : labels) {
      const Style& style = StyleOf(label.policy);
      Append(out,
             "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
             "stroke-width=\"0.7\"/>\n",
             X(highest_) + 3, label.wanted, X(highest_) + 14, label.at, style.colour);
      char attributes[96];
      std::snprintf(attributes, sizeof(attributes), "font-size=\"11\" fill=\"%s\"%s", style.colour,
                    label.policy == 0 ? " font-weight=\"bold\"" : "");
      AppendText(out, X(highest_) + 17, label.at + 4, attributes,
                 outcome_.policies[label.policy].label);
    }
  }

  const ScenarioOutcome& outcome_;
  const double x_;
  const double y_;
  double highest_ = 0.01;
};

void AppendLegend(std::string& out, const ScenarioOutcome& outcome) {
  double x = kLeft;
  for (std::size_t i = 0; i < outcome.policies.size(); ++i) {
    const Style& style = StyleOf(i);
    Append(out,
           "<line x1=\"%.1f\" y1=\"66\" x2=\"%.1f\" y2=\"66\" stroke=\"%s\" stroke-width=\"%.1f\" "
           "stroke-dasharray=\"%s\"/>\n",
           x, x + 26, style.colour, style.width, style.dashes[0] == '\0' ? "none" : style.dashes);
    AppendText(out, x + 31, 70, "font-size=\"12\"", outcome.policies[i].label);
    x += 52 + 6.4 * static_cast<double>(outcome.policies[i].label.size());
  }
}

}  // namespace

std::string StudySvg(const Study& study, const Conditions& conditions) {
  const std::size_t panels = study.scenarios.size();
  const std::size_t rows = (panels + kColumns - 1) / kColumns;
  const double width = kPanelWidth * static_cast<double>(kColumns) + 16;
  const double height = kTop + kPanelHeight * static_cast<double>(rows) + 12;
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  Append(out,
         "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
         "viewBox=\"0 0 %.0f %.0f\" font-family=\"Helvetica, Arial, sans-serif\">\n"
         "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
         width, height, width, height);
  AppendText(out, kLeft, 26, "font-size=\"18\" font-weight=\"bold\"",
             "Requests answered within the SLO, share of all, over the load");
  char conditions_text[256];
  std::snprintf(conditions_text, sizeof(conditions_text),
                "Simulated, not measured: xcloud bench policies, xcloud %s, %s; %lld seeds of "
                "about %lld Poisson arrivals",
                conditions.version.c_str(), conditions.date.c_str(),
                static_cast<long long>(study.options.seeds),
                static_cast<long long>(study.options.requests));
  AppendText(out, kLeft, 45, "font-size=\"12\" fill=\"#555\"", conditions_text);
  if (panels > 0) AppendLegend(out, study.scenarios.front());
  for (std::size_t i = 0; i < panels; ++i) {
    const double x = kPanelWidth * static_cast<double>(i % kColumns);
    const double y = kTop + kPanelHeight * static_cast<double>(i / kColumns);
    out += Panel(study.scenarios[i], x, y).Svg();
  }
  return out + "</svg>\n";
}

}  // namespace xcloud
