// Replies of many rows: `using Reply = troupe::Stream<Row>`.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <troupe/runtime/ask.hpp>

namespace troupe {

template <class Row>
class Stream;

namespace detail {

/// An ask slot for one side of a stream; `peer` when a thread outside waits.
RequestPort open_stream_slot(const Address& peer, std::chrono::nanoseconds timeout,
                             void (*destroy)(void* answer) noexcept);
/// The actor that was asked.
Address callee_of(const RequestPort& port) noexcept;
/// The actor at work on this thread.
Address this_actor() noexcept;
void waits_for(const RequestPort& port, const Address& callee) noexcept;

/// What reader and writer of a stream share. Rows wait here while no `next` does.
/// Thread safety: any thread.
template <class Row>
class StreamChannel {
 public:
  explicit StreamChannel(const Address& writer) : writer_(writer) {}

  void write(Row&& row, const RequestPort& done) {
    std::lock_guard guard(lock_);
    if (reader_is_gone_) {
      fail_reply(done, AskErrorKind::receiver_down, "the reader of the stream is gone");
      return;
    }
    rows_.push_back(std::move(row));
    hand_over();
    if (rows_.size() <= credit_) {
      answer_done(done);
    } else {
      waits_for(done, reading_actor_);  // a wait for credit is an edge to the reader (S138)
      waiting_.push_back(done);
    }
  }
  /// The stream has ended; `error`: not as it should.
  void end(std::optional<AskError> error) {
    std::lock_guard guard(lock_);
    if (is_over_) return;
    is_over_ = true;
    error_ = std::move(error);
    hand_over();
  }
  void read(const RequestPort& port) {
    std::lock_guard guard(lock_);
    reader_ = port;
    reading_actor_ = this_actor();
    hand_over();
  }
  void close_reader() {
    std::lock_guard guard(lock_);
    reader_is_gone_ = true;
    rows_.clear();
    for (const RequestPort& port : std::exchange(waiting_, {}))
      fail_reply(port, AskErrorKind::receiver_down, "the reader of the stream is gone");
  }
  /// Somebody else may read from here on.
  void forget_reader() {
    std::lock_guard guard(lock_);
    reading_actor_ = {};
    for (const RequestPort& port : waiting_) waits_for(port, {});
  }
  void set_credit(std::size_t credit) {
    std::lock_guard guard(lock_);
    credit_ = credit;
    admit();
  }
  [[nodiscard]] bool reader_is_gone() const {
    std::lock_guard guard(lock_);
    return reader_is_gone_;
  }
  [[nodiscard]] const Address& writer() const noexcept { return writer_; }

 private:
  /// Gives the first row, or the end, to the `next` that waits.
  void hand_over() {
    if (reader_.slot == nullptr) return;
    if (!rows_.empty()) {
      give_row();
    } else if (is_over_) {
      const RequestPort port = std::exchange(reader_, {});
      if (error_) {
        fail_reply(port, error_->kind, error_->what);
      } else {
        answer<std::optional<Row>>(port, std::nullopt);
      }
    }
  }
  /// A `next` that was dropped, or whose time is up, takes no row.
  void give_row() {
    const RequestPort port = std::exchange(reader_, {});
    std::optional<Row> row(std::move(rows_.front()));
    rows_.pop_front();
    if (!answer_with(port, row)) {
      rows_.push_front(std::move(*row));
      return;
    }
    admit();
  }
  static bool answer_with(const RequestPort& port, std::optional<Row>& row) {
    using Answer = std::optional<Row>;
    void* where = nullptr;
    if constexpr (reply_is_inline<Answer>) {
      where = begin_reply(port);
      if (where != nullptr) ::new (where) Answer(std::move(row));
    } else {
      auto memory = std::make_unique<Answer>();  // may throw: before the right to answer is won
      where = begin_reply(port);
      if (where != nullptr) {
        *memory = std::move(row);
        *static_cast<Answer**>(where) = memory.release();
      }
    }
    if (where != nullptr) finish_reply(port);
    return where != nullptr;
  }
  /// Writers go on whose rows are within the credit now.
  void admit() {
    while (!waiting_.empty() && rows_.size() < credit_ + waiting_.size()) {
      answer_done(waiting_.front());
      waiting_.pop_front();
    }
  }

  mutable std::mutex lock_;
  std::deque<Row> rows_;
  std::size_t credit_ = 64;
  RequestPort reader_;
  Address reading_actor_;            ///< who asked for rows, while nobody else can have the Stream
  std::deque<RequestPort> waiting_;  ///< writers beyond the credit, one for each row too many
  std::optional<AskError> error_;
  bool is_over_ = false;
  bool reader_is_gone_ = false;
  const Address writer_;
};

}  // namespace detail

/// The reader's end of a reply of many rows. Dropping it tells the writer to stop. Thread safety:
/// one thread at a time.
template <class Row>
class Stream {
 public:
  explicit Stream(std::shared_ptr<detail::StreamChannel<Row>> channel) noexcept
      : channel_(std::move(channel)) {}
  Stream(Stream&& other) noexcept : channel_(std::move(other.channel_)) {
    if (channel_ != nullptr) channel_->forget_reader();
  }
  Stream& operator=(Stream&& other) noexcept {
    std::swap(channel_, other.channel_);
    if (channel_ != nullptr) channel_->forget_reader();
    return *this;
  }
  ~Stream() {
    if (channel_ != nullptr) channel_->close_reader();
  }

  /// The next row, or nullopt at the end: `while (auto row = rows.next().await())`. Fails when the
  /// writer did (after the rows it wrote before), and by timeout; then it may be called again. One
  /// at a time. A row that has come and whose Ask is dropped unread is lost: keep the Ask.
  Ask<std::optional<Row>> next(std::chrono::nanoseconds timeout = default_timeout) {
    Ask<std::optional<Row>> row{detail::open_stream_slot(
        channel_->writer(), timeout, detail::reply_destroyer<std::optional<Row>>())};
    channel_->read(row.port());
    return row;
  }
  /// How many rows the writer may be ahead; 64 unless it is set. Zero: none but the one asked for.
  void set_credit(std::size_t rows) { channel_->set_credit(rows); }

 private:
  std::shared_ptr<detail::StreamChannel<Row>> channel_;
};

/// The writer's end: the second parameter of the handler of a request whose Reply is a Stream. The
/// asker gets its Stream with the first row, or with `open`. Dropped without `finish` the reader's
/// stream fails: `receiver_down` when the actor ends, else `no_reply`. Thread safety: one thread at
/// a time.
template <class Row>
class ReplyTo<Stream<Row>> {
 public:
  explicit ReplyTo(detail::RequestPort port) noexcept : port_(port) {}
  ReplyTo(ReplyTo&& other) noexcept
      : port_(std::exchange(other.port_, {})), channel_(std::move(other.channel_)) {}
  ReplyTo& operator=(ReplyTo&& other) noexcept {
    std::swap(port_, other.port_);
    std::swap(channel_, other.channel_);
    return *this;
  }
  ~ReplyTo() {
    if (port_.slot != nullptr) detail::drop_reply(port_);
    if (channel_ != nullptr) channel_->end(detail::why_reply_was_dropped());
  }

  /// Hands the asker its Stream now.
  void open() {
    if (channel_ != nullptr || port_.slot == nullptr) return;
    channel_ = std::make_shared<detail::StreamChannel<Row>>(detail::callee_of(port_));
    detail::answer<Stream<Row>>(std::exchange(port_, {}), Stream<Row>{channel_});
  }
  /// Adds a row. The answer comes when the row is within the reader's credit: await it, and the
  /// writer is never more than that ahead. Fails with `receiver_down` when the reader is gone.
  Ask<void> send(Row row, std::chrono::nanoseconds timeout = no_timeout) {
    open();
    const detail::Address writer = channel_ != nullptr ? channel_->writer() : detail::Address{};
    Ask<void> done{detail::open_stream_slot(writer, timeout, detail::reply_destroyer<void>())};
    if (channel_ == nullptr) {
      detail::fail_reply(done.port(), AskErrorKind::receiver_down, "the stream has ended");
    } else {
      channel_->write(std::move(row), done.port());
    }
    return done;
  }
  /// That was all.
  void finish() {
    open();
    if (channel_ != nullptr) std::exchange(channel_, nullptr)->end(std::nullopt);
  }
  /// Ends the stream, or turns the request down: the reader gets `refused` with this text, after
  /// the rows before it.
  void refuse(std::string_view why) {
    if (port_.slot != nullptr)
      detail::fail_reply(std::exchange(port_, {}), AskErrorKind::refused, why);
    if (channel_ != nullptr) {
      std::exchange(channel_, nullptr)->end(AskError{AskErrorKind::refused, std::string(why)});
    }
  }
  /// Nobody reads any more.
  [[nodiscard]] bool reader_is_gone() const {
    return channel_ == nullptr ? port_.slot == nullptr : channel_->reader_is_gone();
  }
  /// For the runtime: gives up the duty.
  detail::RequestPort release() noexcept { return std::exchange(port_, {}); }

 private:
  detail::RequestPort port_;
  std::shared_ptr<detail::StreamChannel<Row>> channel_;
};
template <class Row>
using StreamTo = ReplyTo<Stream<Row>>;

}  // namespace troupe
