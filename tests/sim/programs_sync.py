"""The semaphores that random words need, from what they read and write.

Every buffer has one queue that writes it. Each pair of writer and reader gets a semaphore that
says when the buffer is full, and, where a loop goes round, one that says when it is free.
"""

from __future__ import annotations

from sim.programs_text import Buf, Item, Loop, Op, Writer, rendered, words_of


def block_text(writer: Writer) -> str:
    """A block, with the semaphores that its words need."""
    body = _Synchroniser(writer).synchronised(writer.items, repeated=False)
    lines = [*writer.lines, *rendered(body, 0)]
    return "\n".join([f"block {writer.name} {{", *(f"  {line}" for line in lines), "}"])


class _Synchroniser:
    """Puts waits and posts into the words of one block."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._semaphores: dict[tuple[object, ...], tuple[str, int]] = {}

    def synchronised(self, body: list[Item], repeated: bool) -> list[Item]:
        """The body with waits and posts, SYNC words included."""
        body = list(body)
        for i, item in enumerate(body):
            if isinstance(item, Loop):
                body[i] = Loop(item.name, item.trip, self.synchronised(item.body, True))
        before: dict[int, list[tuple[Op, str]]] = {}
        after: dict[int, list[tuple[Op, str]]] = {}
        for buf in self._shared(body):
            writes = [i for i, item in enumerate(body) if _uses(item, buf, "writes")]
            writers = {op.queue for i in writes for op in words_of(body[i]) if buf in op.writes}
            readers = {op.queue for item in body for op in words_of(item) if buf in op.reads}
            if len(writers) != 1:
                continue
            (writer,) = writers
            for reader in sorted(readers):
                if reader == writer and buf.scope != "chip":
                    continue
                self._pair(body, buf, writer, reader, repeated, before, after)
        result: list[Item] = []
        for i, item in enumerate(body):
            result += self._waiting(item, before.get(i, []))
            result.append(item)
            result += self._posting(item, after.get(i, []))
        return result

    def _shared(self, body: list[Item]) -> list[Buf]:
        """The buffers that items of this body pass to each other, and not only inside one loop."""
        users: dict[Buf, set[int]] = {}
        for i, item in enumerate(body):
            for op in words_of(item):
                for buf in (*op.reads, *op.writes):
                    users.setdefault(buf, set()).add(i)
        return [buf for buf, where in users.items() if len(where) > 1]

    def _pair(
        self,
        body: list[Item],
        buf: Buf,
        writer: str,
        reader: str,
        repeated: bool,
        before: dict[int, list[tuple[Op, str]]],
        after: dict[int, list[tuple[Op, str]]],
    ) -> None:
        """The tokens between the queue that writes a buffer and one that reads it."""
        written = _places(body, buf, writer, "writes")
        read = _places(body, buf, reader, "reads")
        # Words with a mask wait and post for the instances it names, each for itself.
        masked = [at for at in written if at[1].mask]
        first, last = (masked, masked) if masked else (written[:1], written[-1:])
        full = self._semaphore(writer, reader, buf.scope, 0, last[-1][0], read[0][0], body)
        for at in last:
            after.setdefault(at[0], []).append((at[1], full))
        before.setdefault(read[0][0], []).append((read[0][1], full))
        if repeated:
            free = self._semaphore(
                reader, writer, buf.scope, buf.slots, read[-1][0], first[0][0], body
            )
            after.setdefault(read[-1][0], []).append((read[-1][1], free))
            for at in first:
                before.setdefault(at[0], []).append((at[1], free))

    def _semaphore(
        self, poster: str, waiter: str, scope: str, init: int, at: int, to: int, body: list[Item]
    ) -> str:
        """A semaphore; one for everything that passes between the same two places."""
        key = (id(body), poster, waiter, scope, init, at, to)
        if key not in self._semaphores or self._writer.rng.random() < 0.1:
            count = self._writer.rng.choice((1, 1, 1, 1, 2, 3))
            tokens = f" = {init * count}" if init else ""
            name = self._writer.declare("sem", f": {poster} -> {waiter} {scope}{tokens}", "q")
            self._semaphores[key] = (name, count)
        name, count = self._semaphores[key]
        return f"{name}:{count}" if count > 1 else name

    def _waiting(self, item: Item, tokens: list[tuple[Op, str]]) -> list[Item]:
        """SYNC words before an item for the waits that its word cannot take."""
        return self._place(item, tokens, "waits")

    def _posting(self, item: Item, tokens: list[tuple[Op, str]]) -> list[Item]:
        """SYNC words behind an item for the posts that its word cannot take."""
        return self._place(item, tokens, "posts")

    def _place(self, item: Item, tokens: list[tuple[Op, str]], side: str) -> list[Item]:
        room = 1 if isinstance(item, Op) and item.scalar else 2
        rest: dict[tuple[str, str], list[str]] = {}
        for op, token in tokens:
            mine = isinstance(item, Op) and item is op and not op.bare
            full = list(getattr(op, side))
            where = op.queue, op.mask
            if token in full or token in rest.get(where, []):
                continue
            if mine and len(full) < room and (op.scalar or self._writer.rng.random() < 0.9):
                getattr(op, side).append(token)
            else:
                rest.setdefault(where, []).append(token)
        result: list[Item] = []
        for (queue, mask), names in rest.items():
            for start in range(0, len(names), 2):
                sync = Op(queue, "sync", mask=mask)
                setattr(sync, side, names[start : start + 2])
                result.append(sync)
        return result


def _uses(item: Item, buf: Buf, mode: str) -> bool:
    return any(buf in getattr(op, mode) for op in words_of(item))


def _places(body: list[Item], buf: Buf, queue: str, mode: str) -> list[tuple[int, Op]]:
    """The items of a body in which a queue uses a buffer, with the word that does."""
    found = []
    for i, item in enumerate(body):
        ops = [op for op in words_of(item) if op.queue == queue and buf in getattr(op, mode)]
        if ops:
            found.append((i, ops[0]))
    return found
