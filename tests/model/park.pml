/* Parking: scheduler/thread_executor.cpp (work_was_queued, wake, sleep). Two workers, one thread outside that queues work.
 * Checked: no work is left in the queue while all workers sleep; busy counts the workers that are awake. */
// MUTANT s/:: queue > 0 -> found = true :: else/:: false -> found = true :: else/
// MUTANT s/sleeping[id] = true/skip/
// MUTANT s/busy++; awake[w] = true/awake[w] = true/

byte queue = 0;
byte searching = 0; /* workers that look for something to steal */
bool sleeping[2];   /* the bits of sleepers_ */
bool awake[2];      /* the futex words */
byte busy = 2;
byte done = 0;

inline wake_one(w) {
  if
  :: sleeping[0] -> w = 0
  :: sleeping[1] -> w = 1
  :: !sleeping[0] && !sleeping[1] -> w = 2
  fi;
  if
  :: w < 2 && searching == 0 ->                               /* a searcher finds it, or looks again before it sleeps */
     atomic { cleared = sleeping[w]; sleeping[w] = false };   /* fetch_and */
     if :: cleared -> busy++; awake[w] = true
        :: else -> skip fi
  :: w == 2 || searching > 0 -> skip
  fi
}

active proctype outside() {
  byte w;
  bool cleared;
  queue++;
  wake_one(w);
  queue++;
  wake_one(w)
}

proctype worker(byte id) {
  bool found;
  bool stolen;
  byte w;
  bool cleared;
  bool cleared_by_me;
  do
  :: atomic { queue > 0 -> queue-- }; done++
  :: queue == 0 ->
     searching++;                                             /* steal */
     stolen = false;
     if :: atomic { queue > 0 -> queue--; stolen = true } :: queue == 0 -> skip fi;
     searching--;
     if :: stolen -> done++; wake_one(w); goto next :: else -> skip fi;
     awake[id] = false;
     sleeping[id] = true;                                     /* announce */
     found = false;
     if :: queue > 0 -> found = true :: else -> skip fi;      /* look again */
     if
     :: found ->
        atomic { cleared_by_me = sleeping[id]; sleeping[id] = false };
        if :: !cleared_by_me -> busy-- :: else -> skip fi               /* a waker counted this worker already */
     :: else ->
        busy--;
        if
        :: awake[id] ->
           atomic { cleared_by_me = sleeping[id]; sleeping[id] = false };
           if :: cleared_by_me -> busy++ :: else -> skip fi             /* woken by a waker that was late */
        :: timeout ->
           assert(queue == 0);
           assert(done == 2);
           assert(busy == 0);
           break
        fi
     fi;
next: skip
  od
}

init { atomic { run worker(0); run worker(1) } }
