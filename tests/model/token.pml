/* The token of a cell: mailbox/mailbox.hpp (push, push_command, claim, go_idle, go_waiting), the end of an actor and the
 * reuse of its cell. Two senders tell, one gives commands (an answer among them), a spawner reuses the cell, runners run it.
 *
 * tell x idle, command x idle, reply x wait, spawn x stale push, free x reuse.
 * Checked: at most one owner; nothing stays in a lane of a cell that nobody will run; a message of an old generation is
 * never handled; an actor that waits does not take mail.
 */
// MUTANT s/:: commands == 0 -> goto gone/:: true -> goto gone/
// MUTANT s/if :: waiting -> waiting = false; taken = true/if :: false -> taken = true/
// MUTANT s/asleep = false; owned_by_push = true/asleep = false/
// MUTANT s/atomic { asleep -> asleep = false; claimed = true }/claimed = true/

byte mail_old = 0;       /* messages to generation 0 in the user lane */
byte mail_new = 0;       /* messages to generation 1 */
byte half = 0;           /* messages between the exchange of tail and the store of next */
byte commands = 0;       /* commands in their lane */
bool asleep = false;     /* bit 0 of tail */
bool waiting = false;    /* bit 0 of commands */
byte queued = 1;         /* schedules of the cell that no runner has taken up */
byte owners = 0;
byte generation = 0;
bool is_free = false;    /* the actor has ended; the cell may be reused */
bool reused = false;
bool answer_came = false;
byte handled = 0;

#define SCHEDULE queued++

inline push(to) {
  bool owned_by_push;
  owned_by_push = false;
  atomic {                                   /* one exchange */
    half++;
    if :: asleep -> asleep = false; owned_by_push = true
       :: else -> skip fi
  }
  atomic {                                   /* the store of next: the message can be reached */
    half--;
    if :: to == 0 -> mail_old++ :: else -> mail_new++ fi
  }
  if :: owned_by_push -> SCHEDULE :: else -> skip fi
}

inline push_command() {
  bool taken;
  taken = false;
  atomic {                                   /* one compare-and-swap */
    commands++;
    if :: waiting -> waiting = false; taken = true :: else -> skip fi
  }
  if :: taken -> skip
     :: else ->                              /* claim: look at tail, then compare-and-swap */
        if :: asleep -> atomic { if :: asleep -> asleep = false; taken = true :: else -> skip fi }
           :: else -> skip fi
  fi;
  if :: taken -> SCHEDULE :: else -> skip fi
}

active proctype first_sender() { push(0); push(0) }
active proctype second_sender() { push(0) }

active proctype commander() {
  answer_came = true;                        /* the slot is done before its command is pushed */
  push_command();
  push_command()
}

active proctype spawner() {                  /* takes the cell from the free list */
  bool claimed = false;
  if
  :: is_free ->
     do
     :: !claimed -> if :: atomic { asleep -> asleep = false; claimed = true } :: !asleep -> break fi
     :: claimed -> break
     od;
     if :: claimed ->
           owners++;
           assert(owners == 1);
           is_free = false;
           reused = true;
           owners--;
           SCHEDULE;                         /* the new actor goes to sleep by itself */
           push(1)                           /* and is told something */
        :: else -> skip fi
  :: true -> skip
  fi
}

proctype runner() {
  byte to;
  bool may_end;
  do
  :: atomic { queued > 0 -> queued--; owners++; assert(owners == 1) };
     may_end = true;
again:
     if :: commands > 0 -> commands = 0 :: else -> skip fi;
     /* an actor of generation 0 may wait for its answer: mail does not wake it, commands do */
     if
     :: generation == 0 && !answer_came ->
        atomic {
          if :: commands == 0 -> waiting = true; owners--; goto gone
             :: else -> skip fi
        };
        goto again
     :: else -> skip
     fi;
     do
     :: atomic { mail_old > 0 -> mail_old--; to = 0 };
        if :: generation == 0 && !is_free -> assert(to == generation); handled++
           :: else -> skip fi                /* bounced */
     :: atomic { mail_new > 0 -> mail_new--; to = 1 };
        assert(generation == 1);
        if :: !is_free -> assert(to == generation) :: else -> skip fi
     :: atomic { mail_old == 0 && mail_new == 0 && half > 0 -> owners--; SCHEDULE; goto gone }  /* half_pushed: yield */
     :: mail_old == 0 && mail_new == 0 && half == 0 -> break
     od;
     if                                      /* the first actor ends at some point: its generation passes */
     :: generation == 0 && may_end && answer_came -> generation = 1; is_free = true
     :: true -> skip
     fi;
     /* go_idle: the compare-and-swap of tail succeeds on an empty lane only; then the look at commands */
     atomic {
       if :: mail_old == 0 && mail_new == 0 && half == 0 -> asleep = true; owners--
          :: else -> goto again
       fi
     };
     if
     :: commands == 0 -> goto gone
     :: commands > 0 ->
        atomic { if :: asleep -> asleep = false; owners++; assert(owners == 1); goto again
                    :: else -> goto gone       /* another owner: touch nothing */
                 fi }
     fi;
gone:
     skip
  :: timeout ->                              /* nobody can do anything any more */
     assert(queued == 0 && owners == 0);
     assert(commands == 0);                  /* no command is left with a cell that sleeps or waits */
     assert(mail_new == 0);
     assert(mail_old == 0 || waiting);       /* mail waits only where an actor waits for its answer */
     assert(!(waiting && answer_came));      /* and its answer has woken it */
     break
  od
}

init { atomic { run runner(); run runner() } }
