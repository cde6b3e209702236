"""DER, as far as time stamps need it."""

from canonical import Fault

INTEGER, OCTETS, OID, SEQUENCE, SET, GENERALIZED_TIME = 0x02, 0x04, 0x06, 0x30, 0x31, 0x18
CONTEXT_0, CONTEXT_1 = 0xA0, 0xA1


class Node:
    """One element of DER: its tag, its content, and all of its bytes."""

    def __init__(self, tag, content, raw):
        self.tag, self.content, self.raw = tag, content, raw

    def children(self):
        return read_nodes(self.content)

    def expect(self, tag):
        if self.tag != tag:
            raise Fault("form")
        return self

    def number(self):
        return int.from_bytes(self.expect(INTEGER).content, "big", signed=True)


def read_nodes(data):
    """All elements that stand one after another."""
    nodes, position = [], 0
    while position < len(data):
        start, position, length = position, *read_header(data, position)
        if position + length > len(data):
            raise Fault("form")
        nodes.append(Node(data[start], data[position:position + length], data[start:position + length]))
        position += length
    return nodes


def read_header(data, position):
    """Where the content of the element at a position begins, and its length."""
    if position + 2 > len(data) or data[position] & 0x1F == 0x1F:
        raise Fault("form")
    length, position = data[position + 1], position + 2
    if length < 0x80:
        return position, length
    size = length & 0x7F
    value = int.from_bytes(data[position:position + size], "big")
    if not 1 <= size <= 4 or position + size > len(data) or value < 0x80 or value < 1 << 8 * (size - 1):
        raise Fault("form")
    return position + size, value


def single(data, tag):
    """The one element that these bytes are."""
    nodes = read_nodes(data)
    if len(nodes) != 1:
        raise Fault("form")
    return nodes[0].expect(tag)


def take(nodes, tag):
    """Take the next element; it has this tag."""
    if not nodes:
        raise Fault("form")
    return nodes.pop(0).expect(tag)


def take_if(nodes, tag):
    return nodes.pop(0) if nodes and nodes[0].tag == tag else None


def algorithm(node):
    return take(node.expect(SEQUENCE).children(), OID).content
