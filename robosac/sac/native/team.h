// Threads that make one update together. Each makes rows and columns of a result that are its own, by
// the arithmetic of one thread: however many there are, the bits are the same.
#pragma once
#include <pthread.h>
#include <signal.h>
#include <stdint.h>

#include <atomic>

namespace robosac {

constexpr int MOST_THREADS = 256;

static inline void breathe() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

// The thread that calls, and helpers. Between two pieces of work, a few microseconds, a helper looks
// again and again; between two updates it sleeps.
class Team {
 public:
  const int threads;

  explicit Team(int threads) : threads(threads) {}

  // Whoever calls, alone; it keeps nothing, so that many may use it at once.
  static Team &alone() {
    static Team one(1);
    return one;
  }

  // Starts the helpers, who call `begin` before their first piece of work; false: they cannot be.
  bool start(void (*begin)()) {
    begin_ = begin;
    sigset_t every, before;
    sigfillset(&every);
    // Signals are the caller's business.
    pthread_sigmask(SIG_SETMASK, &every, &before);
    while (helpers_ < threads - 1 &&
           pthread_create(&helper_[helpers_], nullptr, helper, this) == 0)
      helpers_++;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return helpers_ == threads - 1;
  }

  ~Team() {
    over_ = true;
    summon();
    for (int i = 0; i < helpers_; i++) pthread_join(helper_[i], nullptr);
  }

  // Calls `work(index, thread)` for every index below `count`, each once, by whoever comes to it.
  template <class Work>
  void each(int count, const Work &work) {
    if (threads == 1 || count < 2) {
      for (int i = 0; i < count; i++) work(i, 0);
      return;
    }
    work_ = &work;
    count_ = count;
    next_ = 0;
    call_ = [](Team &team, int thread) {
      const Work &given = *static_cast<const Work *>(team.work_);
      for (int i; (i = team.next_.fetch_add(1, std::memory_order_relaxed)) < team.count_;)
        given(i, thread);
    };
    working_ = helpers_;
    summon();
    call_(*this, 0);
    await();
  }

  // Calls `work(from, to, thread)` for parts of `count`, of `grain` but the last.
  template <class Work>
  void parts(int64_t count, int64_t grain, const Work &work) {
    each(int((count + grain - 1) / grain), [&](int i, int thread) {
      const int64_t from = i * grain, to = from + grain;
      work(from, to < count ? to : count, thread);
    });
  }

 private:
  // Some 50 us.
  static constexpr int LOOKS = 1000;

  static void *helper(void *given) {
    Team &team = *static_cast<Team *>(given);
    const int thread = ++team.numbered_;
    bool begun = false;
    for (uint32_t seen = 0;; seen++) {
      team.await_round(seen);
      if (team.over_) return nullptr;
      if (!begun) team.begin_();
      begun = true;
      team.call_(team, thread);
      if (team.working_.fetch_sub(1) == 1 && team.waiting_) {
        pthread_mutex_lock(&team.lock_);
        pthread_cond_signal(&team.ended_);
        pthread_mutex_unlock(&team.lock_);
      }
    }
  }

  // A new round; whoever sleeps is woken.
  void summon() {
    round_++;
    if (!sleepers_) return;
    pthread_mutex_lock(&lock_);
    pthread_cond_broadcast(&begun_);
    pthread_mutex_unlock(&lock_);
  }

  void await_round(uint32_t seen) {
    for (int i = 0; i < LOOKS; i++, breathe())
      if (round_ != seen) return;
    pthread_mutex_lock(&lock_);
    sleepers_++;
    while (round_ == seen) pthread_cond_wait(&begun_, &lock_);
    sleepers_--;
    pthread_mutex_unlock(&lock_);
  }

  // Until every helper is done: the work lies on the caller's stack.
  void await() {
    for (int i = 0; i < LOOKS; i++, breathe())
      if (!working_) return;
    pthread_mutex_lock(&lock_);
    waiting_ = true;
    while (working_) pthread_cond_wait(&ended_, &lock_);
    waiting_ = false;
    pthread_mutex_unlock(&lock_);
  }

  void (*begin_)() = nullptr;
  int helpers_ = 0;
  pthread_t helper_[MOST_THREADS];
  pthread_mutex_t lock_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t begun_ = PTHREAD_COND_INITIALIZER, ended_ = PTHREAD_COND_INITIALIZER;
  // Written before a round begins, read by helpers within it.
  const void *work_ = nullptr;
  int count_ = 0;
  void (*call_)(Team &, int) = nullptr;
  // In one order for all: who goes to sleep is seen, or sees that it need not.
  std::atomic<uint32_t> round_{0};
  std::atomic<int> next_{0}, working_{0}, sleepers_{0}, numbered_{0};
  std::atomic<bool> waiting_{false}, over_{false};
};

}  // namespace robosac
