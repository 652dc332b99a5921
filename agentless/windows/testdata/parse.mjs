// Parses PowerShell for the tests: one request a line on stdin, one answer a
// line on stdout. A request is base64 of UTF-8; an answer is JSON:
//   {"types": [names], "nodes": [type, start, end, depth, flags, ...]}
// in the order of the text; offsets are UTF-16 units, flags 1 = named,
// 2 = error, 4 = missing. The argument is the folder that holds node_modules.
//
// PowerShell's own lexer takes U+2018..201B for ', U+201C..201E for " and
// U+2013..2015 for -, the grammar does not: they are put in for the parser, one
// unit for one, so that offsets stay those of the text.
import {createRequire} from 'node:module';
import {createInterface} from 'node:readline';
import path from 'node:path';

const require = createRequire(path.resolve(process.argv[2], 'package.json'));
const {Parser, Language} = require('web-tree-sitter');
await Parser.init();
const powershell = path.join(path.dirname(require.resolve('tree-sitter-powershell/package.json')), 'tree-sitter-powershell.wasm');
const parser = new Parser();
parser.setLanguage(await Language.load(powershell));

const folded = (s) => s
  .replace(/[\u2018-\u201b]/g, "'")
  .replace(/[\u201c-\u201e]/g, '"')
  .replace(/[\u2013-\u2015]/g, '-');

function parse(text) {
  const tree = parser.parse(folded(text));
  const types = [], index = new Map(), nodes = [];
  const cursor = tree.walk();
  for (let depth = 0; ;) {
    const node = cursor.currentNode;
    let type = index.get(node.type);
    if (type === undefined) {
      index.set(node.type, type = types.length);
      types.push(node.type);
    }
    nodes.push(type, cursor.startIndex, cursor.endIndex, depth, (node.isNamed ? 1 : 0) + (node.isError ? 2 : 0) + (node.isMissing ? 4 : 0));
    if (cursor.gotoFirstChild()) {
      depth++;
      continue;
    }
    while (!cursor.gotoNextSibling()) {
      if (!cursor.gotoParent()) {
        cursor.delete();
        tree.delete();
        return {types, nodes};
      }
      depth--;
    }
  }
}

for await (const line of createInterface({input: process.stdin, crlfDelay: Infinity})) {
  process.stdout.write(JSON.stringify(parse(Buffer.from(line, 'base64').toString('utf8'))) + '\n');
}
