#include "bench/client_connection.h"

#include <array>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>

namespace xcloud {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

ClientConnection::ClientConnection(asio::io_context& io, const asio::ip::tcp::endpoint& server)
    : server_(server), stream_(io) {}

void ClientConnection::Open(TimePoint deadline, std::function<void(error_code)> opened) {
  stream_.expires_at(deadline);
  stream_.async_connect(
      server_, [self = shared_from_this(), opened = std::move(opened)](error_code error) {
        if (!error) {
          error_code ignored;  // a connection without it is slower, not wrong
          self->stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
        }
        opened(error);
      });
}

void ClientConnection::Exchange(const PreparedRequest& request, TimePoint deadline,
                                std::function<void(const Answer&)> answered) {
  write_done_ = false;
  parser_ = std::make_unique<Parser>();
  parser_->body_limit(std::uint64_t{64} << 20);
  stream_.expires_at(deadline);
  const std::array<asio::const_buffer, 3> out = {
      asio::buffer(request.head), asio::buffer(*request.photo), asio::buffer(request.tail)};
  // A failed write is told by the read: it ends too, with the answer or the reset.
  asio::async_write(stream_, out, [self = shared_from_this()](error_code error, std::size_t) {
    self->write_done_ = !error;
  });
  beast::http::async_read(
      stream_, buffer_, *parser_,
      [self = shared_from_this(), answered = std::move(answered)](error_code error, std::size_t) {
        Answer answer;
        answer.error = error;
        if (!error) {
          answer.http_status = static_cast<int>(self->parser_->get().result_int());
          answer.reusable = self->write_done_ && self->parser_->get().keep_alive();
        }
        if (!answer.reusable) self->Close();
        answered(answer);
      });
}

void ClientConnection::Close() {
  error_code ignored;
  stream_.socket().close(ignored);
}

}  // namespace xcloud
