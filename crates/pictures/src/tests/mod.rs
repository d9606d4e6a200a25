mod far;
mod offers;
mod rooms;
mod shell;
