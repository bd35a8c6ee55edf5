//! The function's doc comment as plain text: the check's description.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The text as an expression of type `&'static str`; `None` where there is no doc comment.
pub(crate) fn of(attributes: &[Attribute], health: &Ident) -> Option<TokenStream> {
    let docs = attributes.iter().filter_map(doc);
    let mut pieces: Vec<Piece> = Vec::new();
    for doc in docs {
        match (literal(doc), pieces.last_mut()) {
            (Some(line), Some(Piece::Lines(lines))) => lines.push(line),
            (Some(line), _) => pieces.push(Piece::Lines(vec![line])),
            (None, _) => pieces.push(Piece::Unknown(doc)),
        }
    }
    if let [Piece::Lines(lines)] = &pieces[..] {
        let text = unindent(&lines.join("\n"));
        return (!text.is_empty()).then(|| text.to_token_stream());
    }
    if pieces.is_empty() {
        return None;
    }
    let here = Span::mixed_site();
    let pieces = pieces.iter().map(|piece| match piece {
        Piece::Lines(lines) => unindent(&lines.join("\n")).to_token_stream(),
        Piece::Unknown(expression) => expression.to_token_stream(),
    });
    let mut joined = TokenStream::new();
    for (position, piece) in pieces.enumerate() {
        if position > 0 {
            joined.extend(quote_spanned!(here=> "\n",));
        }
        joined.extend(quote_spanned!(here=> #piece,));
    }
    Some(quote_spanned!(here=> #health::concat!(#joined)))
}

/// A part of the description.
enum Piece<'a> {
    Lines(Vec<String>),
    /// `include_str!(..)` and the like: only the compiler knows the text.
    Unknown(&'a Expr),
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
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(comment(&text.value())),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

/// A block comment is one literal of many lines, of which each may begin with a star. Its first line
/// stands behind `/**`, so its indentation is not that of the others.
fn comment(text: &str) -> String {
    let Some((first, rest)) = text.split_once('\n') else {
        return text.to_owned();
    };
    let is_starred = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('*');
    let rest = if rest.lines().all(is_starred) {
        let lines = rest.lines().map(|line| {
            let line = line.trim_start();
            line.strip_prefix('*').unwrap_or(line)
        });
        unindent(&lines.collect::<Vec<_>>().join("\n"))
    } else {
        unindent(rest)
    };
    let lines = rest.lines().map(|line| format!(" {line}"));
    std::iter::once(format!(" {}", first.trim())).chain(lines).collect::<Vec<_>>().join("\n")
}

/// Without the indentation that all lines share, and the empty lines around.
fn unindent(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let filled = lines.iter().copied().filter(|line| !line.is_empty());
    let shared = filled.map(indent).min().unwrap_or(0);
    let lines: Vec<_> = lines.iter().map(|line| line.get(shared..).unwrap_or_default()).collect();
    lines.join("\n").trim_matches('\n').to_owned()
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
        let starred = comment("\n     * One.\n     *\n     *  - Two.\n     ");
        assert_eq!(unindent(&starred), "One.\n\n - Two.");
        assert_eq!(unindent(&comment(" One.\n     * Two. ")), "One.\nTwo.");
    }

    #[test]
    fn a_block_comment_without_stars_keeps_its_lines() {
        assert_eq!(unindent(&comment(" One.\n    Two:\n      three\n ")), "One.\nTwo:\n  three");
    }

    #[test]
    fn a_list_in_line_comments_keeps_its_stars() {
        let lines = [" * a disk", " * a network"].map(comment);
        assert_eq!(unindent(&lines.join("\n")), "* a disk\n* a network");
    }

    #[test]
    fn a_text_that_only_the_compiler_knows_is_joined_by_line_breaks() {
        let attributes: Vec<Attribute> = vec![
            syn::parse_quote!(#[doc = " One."]),
            syn::parse_quote!(#[doc = " Two."]),
            syn::parse_quote!(#[doc = include_str!("three.md")]),
            syn::parse_quote!(#[doc = " Four."]),
        ];
        let text = of(&attributes, &Ident::new("health", Span::call_site())).unwrap().to_string();
        let expected =
            r#"concat ! ("One.\nTwo." , "\n" , include_str ! ("three.md") , "\n" , "Four." ,)"#;
        assert!(text.ends_with(expected), "{text}");
    }
}
