// The targets that are shown, one choice for the whole page. Without a choice tables list all of them, and what can hold only
// so many (charts, the gallery, runs) the first ones.
"use strict";
CMC.parts.push(() => {
  const { board } = CMC;
  const MOST = 10,
    FEW = 12; // so many are shown everywhere
  const every = board.targets.map((target, place) => place);
  const places = new Map(board.targets.map((target, place) => [target.name, place]));
  const ALL = "*"; // no folder of a target is called so
  const field = CMC.state.field("t", null, {
    many: true,
    valid: (name) => name === "" || name === ALL || places.has(name),
  });

  const auto = () => field.get() === null;

  // Places of the targets chosen, in the board's order; null where nobody has chosen.
  function chosen() {
    const names = field.get();
    if (names === null) return null;
    if (names.includes(ALL)) return every;
    const there = new Set(names.map((name) => places.get(name)));
    return every.filter((place) => there.has(place));
  }

  const listed = () => chosen() ?? every;
  const charted = () => chosen() ?? (every.length <= FEW ? every : every.slice(0, MOST));

  function choose(wanted) {
    const kept = every.filter((place) => wanted.includes(place));
    if (kept.length === every.length) field.set(every.length <= FEW ? null : [ALL]);
    else field.set(kept.length ? kept.map((place) => board.targets[place].name) : [""]);
  }

  const follow = (draw) => CMC.state.follow(["t"], draw);
  const none = () => CMC.empty("No target is chosen.", "Choose some with the button Targets at the top of the page.");

  // What a part says where it shows fewer targets than there are and nobody chose them.
  function rest(shown) {
    return auto() && shown < every.length
      ? `The first ${shown} of ${every.length} targets; choose others with the button Targets.`
      : "";
  }

  CMC.picks = { every, auto, listed, charted, choose, clear: () => field.set(null), follow, none, rest, MOST };
});
