//! The parts pages are made of. Small; none of them fetches anything.

mod badge;
mod button;
mod card;
mod chart;
mod check;
mod copy;
mod dialog;
mod filter_tree;
mod form;
mod header;
mod icon;
mod progress;
mod recipient;
mod states;
mod table;
mod time;
mod timeline;
mod toast;

pub use badge::*;
pub use button::*;
pub use card::*;
pub use chart::*;
pub use check::*;
pub use copy::*;
pub use dialog::*;
pub use filter_tree::*;
pub use form::*;
pub use header::*;
pub use icon::*;
pub use progress::*;
pub use recipient::*;
pub use states::*;
pub use table::*;
pub use time::*;
pub use timeline::*;
pub use toast::*;
