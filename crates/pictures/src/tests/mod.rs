mod far;
mod offers;
mod rooms;
