"""A FastAPI application. It takes the user from asyncflask's session; without one no request comes here."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException

from asyncflask import session

from .orders import Order, orders

app = FastAPI(title="Orders")


def current_user() -> str:
    name: str = session["user"]
    return name


User = Annotated[str, Depends(current_user)]


@app.get("/me")
async def me(user: User) -> dict[str, str]:
    return {"name": user, "greeting": f"Hello {user}, this is FastAPI."}


@app.get("/orders")
def list_orders() -> list[Order]:
    return orders


@app.get("/orders/{number}")
async def show_order(number: int) -> Order:
    for order in orders:
        if order.number == number:
            return order
    raise HTTPException(404, "There is no such order.")
