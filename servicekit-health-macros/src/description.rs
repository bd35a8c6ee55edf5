//! The function's doc comment as plain text: the check's description.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The text as an expression of type `&'static str`; `None` where there is no doc comment.
pub(crate) fn of(attributes: &[Attribute], health: &Ident) -> Option<TokenStream> {
    let docs: Vec<&Expr> = attributes.iter().filter_map(doc).collect();
    let literals: Option<Vec<String>> = docs.iter().map(|doc| literal(doc)).collect();
    let Some(lines) = literals else {
        // `#[doc = include_str!(..)]`: only the compiler knows the text.
        let here = Span::mixed_site();
        return Some(quote_spanned!(here=> #health::concat!(#(#docs),*)));
    };
    let text = unindent(&lines.join("\n"));
    (!text.is_empty()).then(|| text.to_token_stream())
}

/// The value of `#[doc = ..]`. `#[doc(hidden)]` and the like say nothing to readers.
fn doc(attribute: &Attribute) -> Option<&Expr> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => Some(&pair.value),
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(without_stars(&text.value())),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

/// A block comment is one literal of many lines, of which each may begin with a star.
fn without_stars(comment: &str) -> String {
    let starred = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('*');
    if !comment.contains('\n') || !comment.lines().skip(1).all(starred) {
        return comment.to_owned();
    }
    let lines: Vec<_> =
        comment.lines().map(|line| line.trim_start().trim_start_matches('*')).collect();
    lines.join("\n")
}

/// Without the indentation that all lines share, and the empty lines around.
fn unindent(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let filled = lines.iter().copied().filter(|line| !line.is_empty());
    let shared = filled.map(indent).min().unwrap_or(0);
    let lines: Vec<_> = lines.iter().map(|line| line.get(shared..).unwrap_or_default()).collect();
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_indentation_that_all_lines_share_is_not_part_of_the_text() {
        assert_eq!(unindent(" One.\n\n Two:\n   three"), "One.\n\nTwo:\n  three");
    }

    #[test]
    fn the_stars_of_a_block_comment_are_not_part_of_the_text() {
        let comment = without_stars("\n     * One.\n     * Two.\n     ");
        assert_eq!(unindent(&comment), "One.\nTwo.");
    }

    #[test]
    fn a_list_in_line_comments_keeps_its_stars() {
        let lines = [" * a disk", " * a network"].map(without_stars);
        assert_eq!(unindent(&lines.join("\n")), "* a disk\n* a network");
    }
}
