/* An ask slot: ask_slots.cpp. Answer, timeout and cancel race; the slot is freed and used again; a late answer of the first
 * ask meets the second. Checked: an ask ends exactly once; an answer never reaches another ask than its own; the slot is
 * freed exactly once per use, and never while its completion is under way. */
// MUTANT s/state == PENDING && gen == mine/state == PENDING/
// MUTANT s/command_expected -> abandoned = true/false -> abandoned = true/

mtype = { FREE, PENDING, WRITING, VALUE, FAILED };
mtype state = FREE;
byte gen = 0;
byte value_of = 0;        /* which ask the value belongs to */
bool command_expected = false;
bool command_under_way = false;
bool abandoned = false;
bool in_free_list = true;
byte ended = 0;
bool request[2];

inline free_it() {
  assert(!in_free_list);
  assert(!command_under_way);
  in_free_list = true
}

proctype answerer(byte mine) {
  bool won = false;
  request[mine];
  atomic { if :: state == PENDING && gen == mine -> state = WRITING; won = true :: else -> skip fi };
  if
  :: won ->
     value_of = mine;
     command_under_way = true;   /* prepared before the outcome is published */
     state = VALUE
  :: else -> skip                /* too late: counted */
  fi
}

proctype asker() {
  byte mine;
  bool over;
  for (mine : 0 .. 1) {
    atomic { in_free_list -> in_free_list = false };
    abandoned = false;
    command_expected = true;
    atomic { gen = mine; state = PENDING };
    request[mine] = true;
    over = false;
    if                           /* wait for the answer, or time out, or cancel at once */
    :: state == VALUE && command_under_way -> command_under_way = false; command_expected = false; over = true
    :: true ->
       atomic { if :: state == PENDING && gen == mine -> state = FREE; gen = mine + 1; over = true; command_expected = false
                   :: else -> skip fi };
       if :: over -> ended++; free_it(); goto next :: else -> skip fi;
       state == VALUE            /* it was being written */
    fi;
    assert(value_of == mine);
    ended++;
    atomic { state = FREE; gen = mine + 1 };
    if
    :: command_expected -> abandoned = true
    :: else -> free_it()
    fi;
    if                           /* the abandoned slot is freed when its command comes */
    :: abandoned -> command_under_way; command_under_way = false; command_expected = false; abandoned = false; free_it()
    :: else -> skip
    fi;
next: skip
  };
  assert(ended == 2)
}

init { atomic { run asker(); run answerer(0); run answerer(1) } }
