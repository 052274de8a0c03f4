// What solhint's own rule `use-natspec` leaves out: errors, structs and enums are to be documented with all that they hold.
"use strict";

const RULE = "documented-types";

class DocumentedTypes {
  constructor(reporter, config, source) {
    this.ruleId = RULE;
    this.reporter = reporter;
    this.lines = source.split(/\r?\n/);
  }

  CustomErrorDefinition(node) {
    this.check(node, "error", node.parameters.map((parameter) => parameter.name));
  }

  StructDefinition(node) {
    this.check(node, "struct", node.members.map((member) => member.name));
  }

  EnumDefinition(node) {
    this.check(node, "enum", []);
  }

  check(node, kind, names) {
    const comment = this.commentAbove(node.loc.start.line);
    if (!/@notice\s+\S/.test(comment)) this.report(node, `Missing @notice tag in ${kind} '${node.name}'`);
    const documented = [...comment.matchAll(/@param\s+(\w+)[ \t]+\S/g)].map((match) => match[1]);
    if (documented.join() === names.join()) return;
    this.report(
      node,
      `Mismatch in @param names for ${kind} '${node.name}'. Expected: [${names.join(", ")}], Found: [${documented.join(", ")}]`,
    );
  }

  /** The `///` lines that end right above a line, which is counted from one. */
  commentAbove(line) {
    let first = line - 1;
    while (first > 0 && this.lines[first - 1].trimStart().startsWith("///")) first -= 1;
    return this.lines.slice(first, line - 1).join("\n");
  }

  report(node, message) {
    this.reporter.error(node, `assay/${RULE}`, message);
  }
}

module.exports = [DocumentedTypes];
