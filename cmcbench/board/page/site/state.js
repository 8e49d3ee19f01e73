// What the page shows stands in its address, "#images?order=worst&t=real": a link opens what its sender saw, and Back goes
// to what was shown before.
"use strict";
CMC.state = (() => {
  const fields = new Map(),
    followers = [];
  const PAUSE = 150; // milliseconds; browsers refuse an address that changes with every move of a slider
  let given = read(location.hash),
    section = given.section,
    timer = 0;

  function read(hash) {
    const [place, query = ""] = hash.slice(1).split(/\?(.*)/s);
    const params = new Map();
    for (const pair of query.split("&")) {
      const at = pair.indexOf("=");
      if (at > 0) params.set(pair.slice(0, at), [...(params.get(pair.slice(0, at)) ?? []), decode(pair.slice(at + 1))]);
    }
    return { section: /^[a-z]{1,20}$/.test(place) ? place : "", params };
  }

  function decode(text) {
    try {
      return decodeURIComponent(text);
    } catch (error) {
      return "";
    }
  }

  function encode(text) {
    try {
      return encodeURIComponent(text).replaceAll("%40", "@").replaceAll("%2F", "/").replaceAll("%2C", ",");
    } catch (error) {
      return ""; // half a character, which no address can hold
    }
  }

  // A value that the address holds where it is not the initial one. An address comes from anybody: valid(value) says what
  // is taken. many: the value is a list, null where the address names none.
  function field(key, initial, { valid = () => true, many = false } = {}) {
    const each = { key, initial, valid, many };
    each.value = taken(each);
    fields.set(key, each);
    return {
      get: () => each.value,
      set: (value, { push = false, quiet = false } = {}) => {
        if (JSON.stringify(value) === JSON.stringify(each.value)) return;
        each.value = value;
        write(push);
        if (!quiet) tell(new Set([key]), false);
      },
    };
  }

  function taken({ key, initial, valid, many }) {
    const found = given.params.get(key);
    if (!found) return initial;
    const kept = found.filter(valid);
    return kept.length ? (many ? kept : kept[kept.length - 1]) : initial;
  }

  const one = (key, options, initial = options[0]) => field(key, initial, { valid: (value) => options.includes(value) });

  // draw(): after one of these changed. bar(): before it, where the address changed and not a control, which shows it.
  function follow(keys, draw, bar) {
    followers.push({ keys, draw, bar });
  }

  function tell(changed, moved) {
    for (const { keys, draw, bar } of followers)
      if (keys.some((key) => changed.has(key))) {
        if (moved) bar?.();
        draw();
      }
  }

  function address() {
    const pairs = [...fields.values()]
      .filter(({ value, initial }) => JSON.stringify(value) !== JSON.stringify(initial))
      .flatMap(({ key, value, many }) =>
        (many ? (value.length ? value : [""]) : [value]).map((each) => `${key}=${encode(each)}`),
      );
    return `#${section}${pairs.length ? `?${pairs.join("&")}` : ""}`;
  }

  function write(push) {
    clearTimeout(timer);
    if (push) history.pushState({ inside: true }, "", address());
    else timer = setTimeout(settle, PAUSE);
  }

  function settle() {
    clearTimeout(timer);
    timer = 0;
    if (address() !== location.hash) history.replaceState(history.state ?? { inside: false }, "", address());
  }

  // The section that is read now, which the address names as well.
  function at(name) {
    if (name === section) return;
    section = name;
    write(false);
  }

  function go(name) {
    settle();
    section = name;
    history.pushState({ inside: false }, "", address());
    document.getElementById(name)?.scrollIntoView();
  }

  addEventListener("popstate", (event) => {
    clearTimeout(timer);
    given = read(location.hash);
    section = given.section;
    const changed = new Set();
    for (const each of fields.values()) {
      const before = JSON.stringify(each.value);
      each.value = taken(each);
      if (JSON.stringify(each.value) !== before) changed.add(each.key);
    }
    tell(changed, true);
    if (!event.state) document.getElementById(section)?.scrollIntoView(); // typed, or a link within the page
  });

  return { field, one, follow, at, go, settle, section: () => section };
})();
