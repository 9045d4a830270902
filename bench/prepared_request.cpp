#include "bench/prepared_request.h"

#include <algorithm>
#include <utility>

namespace xcloud {

PreparedRequest PrepareRequest(const TargetUrl& target, const BenchOptions& options, Photo photo,
                               std::int64_t deadline_ms) {
  PreparedRequest out;
  std::string form_head;
  std::string content_type = photo.content_type;
  if (options.body == "multipart") {
    // Long and fixed: no photo holds it by chance.
    const std::string boundary = "xcloud-bench-7f1c8e52a9d34b06b1f0";
    content_type = "multipart/form-data; boundary=" + boundary;
    std::string name = photo.name;
    for (char& c : name) {
      if (c == '"' || c == '\r' || c == '\n') c = '_';
    }
    form_head = "--" + boundary +
                "\r\nContent-Disposition: form-data; name=\"image\"; filename=\"" + name +
                "\"\r\nContent-Type: " + photo.content_type + "\r\n\r\n";
    out.tail = "\r\n--" + boundary + "--\r\n";
  }
  const std::size_t length = form_head.size() + photo.bytes.size() + out.tail.size();
  out.head = "POST " + target.path + " HTTP/1.1\r\nHost: " + target.authority +
             "\r\nUser-Agent: xcloud-bench\r\nAccept: */*\r\nContent-Type: " + content_type +
             "\r\nContent-Length: " + std::to_string(length) + "\r\n";
  for (const std::string& header : options.headers) out.head += header + "\r\n";
  if (deadline_ms > 0) {
    out.head += "X-Deadline-Ms: " + std::to_string(deadline_ms) + "\r\n";
    out.deadline = std::chrono::milliseconds(deadline_ms);
  }
  out.head += "\r\n" + form_head;
  out.photo = std::make_shared<const std::string>(std::move(photo.bytes));
  return out;
}

std::vector<PreparedRequest> PrepareRequests(const TargetUrl& target, const BenchOptions& options,
                                             const std::vector<Photo>& photos) {
  std::vector<PreparedRequest> out;
  const std::size_t deadlines = options.deadlines_ms.size();
  const std::size_t rounds = std::max<std::size_t>(deadlines, 1);
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < photos.size(); ++i) {
      // Shifted each round: one photo would else meet one deadline only.
      const std::int64_t deadline_ms =
          deadlines == 0 ? 0 : options.deadlines_ms[(i + round) % deadlines];
      out.push_back(PrepareRequest(target, options, photos[i], deadline_ms));
    }
  }
  return out;
}

}  // namespace xcloud
